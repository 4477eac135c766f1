"""Whose address a request comes from."""

from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Tell the client's address as the gateway found it behind trusted proxies, else the connection's."""
    meta = request.META
    address: str = meta.get("CLIENT_ADDRESS") or meta.get("REMOTE_ADDR", "")
    return address

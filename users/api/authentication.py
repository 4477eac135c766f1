"""Bearer tokens for every view of the API: the caller is known without a query."""

from typing import cast

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from users.credentials import principal_of
from users.principals import Principal
from users.refusals import InvalidToken, Refusal, TokenExpired


class TokenRefused(AuthenticationFailed):
    """A bearer token that opens nothing; `code` is `invalid_token` or `token_expired`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(detail=refusal.detail, code=refusal.code)
        self.code = refusal.code


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>`. Without that header the caller is nobody; with a bad one, refused."""

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        """Tell the principal and the token's text. Refuses with TokenRefused."""
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return principal_of(token.strip()), token
        except (InvalidToken, TokenExpired) as refusal:
            raise TokenRefused(refusal) from None

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401: RFC 6750 names an error only when a token was shown."""
        shown = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[0].lower() == "bearer"
        return 'Bearer error="invalid_token"' if shown else "Bearer"


def caller(request: Request) -> Principal:
    """Tell who calls; only for actions that need a token."""
    return cast(Principal, request.user)

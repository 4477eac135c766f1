"""One POST to one webhook endpoint: to a checked address, within a strict time, without following anything.

Neither a proxy of the environment nor a redirect is followed, and no connection is kept: each attempt looks the
host up and judges its address anew.
"""

import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from events import addresses
from users.refusals import InvalidInput

TIMEOUT_S = 20.0
"""How long an attempt may take from the first connection to the answer; Standard Webhooks advises 15 to 30 s."""

CONNECT_WITHIN_S = 8.0
KEPT_CHARACTERS = 4000
LONGEST_WAIT_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of an attempt: the HTTP status, or none and why; the body's beginning; how long to wait if it says so."""

    status: int | None
    error: str = ""
    body: str = ""
    retry_after_s: float | None = None
    duration_ms: int = 0

    @property
    def is_success(self) -> bool:
        """Whether the endpoint has taken the event: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


def call_endpoint(url: str, *, body: bytes, headers: Mapping[str, str]) -> Reply:
    """POST `body` to the URL and tell what came of it, whatever it was; never raises for what the other side does."""
    started_s = time.monotonic()
    try:
        target = addresses.target_of(url)
        reply = _exchange(target, _head(target, headers, len(body)) + body, until_s=started_s + TIMEOUT_S)
    except (addresses.AddressRefused, InvalidInput):
        reply = Reply(None, "address_refused")
    except addresses.HostUnknown:
        reply = Reply(None, "host_unknown")
    except TimeoutError:
        reply = Reply(None, "timeout")
    except ssl.SSLError:
        reply = Reply(None, "tls_failed")
    except OSError:
        reply = Reply(None, "connection_failed")
    except (HTTPException, ValueError):
        reply = Reply(None, "invalid_answer")
    return Reply(
        reply.status, reply.error, reply.body, reply.retry_after_s, int((time.monotonic() - started_s) * 1000)
    )


def _head(target: addresses.Target, headers: Mapping[str, str], length: int) -> bytes:
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.host_header}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        "User-Agent: Open-Wallet-Webhooks",
        "Accept-Encoding: identity",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _exchange(target: addresses.Target, message: bytes, *, until_s: float) -> Reply:
    with _connected(target, until_s=until_s) as connection:
        connection.settimeout(_left_s(until_s))
        connection.sendall(message)
        response = HTTPResponse(cast(socket.socket, _Incoming(connection, until_s)), method="POST")
        response.begin()
        error = "redirect_not_followed" if 300 <= response.status < 400 else ""
        return Reply(
            response.status, error, _beginning(response), _retry_after_s(response.getheader("Retry-After"))
        )


def _connected(target: addresses.Target, *, until_s: float) -> socket.socket:
    """Connect to the first of the checked addresses that takes the connection, under the host's name for TLS."""
    failure: OSError = OSError("no address")
    for address in addresses.reachable_addresses(target):
        try:
            connection = socket.create_connection(
                (address, target.port), timeout=min(CONNECT_WITHIN_S, _left_s(until_s))
            )
        except OSError as failed:
            failure = failed
            continue
        if not target.is_encrypted:
            return connection
        try:
            connection.settimeout(_left_s(until_s))
            return tls_context().wrap_socket(connection, server_hostname=target.host)
        except BaseException:
            connection.close()
            raise
    raise failure


@cache
def tls_context() -> ssl.SSLContext:
    """Verify certificates and names against the system's authorities."""
    return ssl.create_default_context()


class _Incoming:
    """What HTTPResponse reads from: a socket, each read of which ends when the attempt's time is over."""

    def __init__(self, connection: socket.socket, until_s: float) -> None:
        self._connection, self._until_s = connection, until_s

    def makefile(self, mode: str) -> io.BufferedReader:
        """Give the stream of what comes in."""
        return io.BufferedReader(_TimedReads(self._connection, self._until_s))


class _TimedReads(io.RawIOBase):
    def __init__(self, connection: socket.socket, until_s: float) -> None:
        self._connection, self._until_s = connection, until_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left_s(self._until_s))
        return self._connection.recv_into(buffer)


def _left_s(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _beginning(response: HTTPResponse) -> str:
    """Read what is kept of the body; one that breaks off or never ends doesn't change what the status says."""
    kept = b""
    try:
        while len(kept) < KEPT_CHARACTERS and (more := response.read1(KEPT_CHARACTERS - len(kept))):
            kept += more
    except (HTTPException, OSError, ValueError):
        return _storable(kept)
    return _storable(kept)


def _storable(body: bytes) -> str:
    return body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _retry_after_s(header: str | None) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3), as seconds from now, a day at the most."""
    if header is None:
        return None
    try:
        wait_s = (
            float(header)
            if header.isascii() and header.isdigit()
            else (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        )
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), float(LONGEST_WAIT_S))

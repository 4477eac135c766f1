"""HTTP to a provider of payment services: one fixed host, bounded in time and size, retried under the same key.

Three things that can go wrong are never mixed up: nothing was sent (`NotSent`), something was sent and nobody knows
what became of it (`NoAnswer`), and an answer with a status. An answer that comes after an attempt without one says
so, as the provider may have acted on the first. Nothing here logs an address, a header or a body.
"""

import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import orjson
import requests
import structlog
import urllib3
from requests.adapters import HTTPAdapter

from events.clock import now
from tokens.providers.time_budgets import ends_at

LONGEST_BACK_OFF_S = 5.0
CHUNK_BYTES = 65_536

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call may take: seconds to connect, between two bytes, and altogether with its retries; bytes read."""

    connect_s: float = 3.0
    read_s: float = 10.0
    total_s: float = 20.0
    attempts: int = 3
    answer_bytes: int = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Call:
    """One request. `name` stands for it in the logs (`payment_methods.create`); path and body may hold secrets."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Call({self.name})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProviderAnswer:
    """What the provider said: status, headers with lower-case names, and the body as it came.

    `follows_silence` says that an earlier attempt of the same call may have had its effect: a refusal after one is
    no proof that nothing happened.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    follows_silence: bool = False

    def __repr__(self) -> str:
        return f"ProviderAnswer({self.status})"

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 200 to 299."""
        return 200 <= self.status < 300

    def document(self) -> dict[str, Any]:
        """Read the body as a JSON object; an empty one is an empty object. Raises Garbled."""
        if not self.body:
            return {}
        try:
            read = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Garbled from None
        if not isinstance(read, dict):
            raise Garbled
        return read


class ProviderSilent(Exception):
    """No answer came. `reason` is one word for the logs."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(ProviderSilent):
    """The provider was never reached, in no attempt: nothing can have happened."""


class NoAnswer(ProviderSilent):
    """Something was sent and no whole answer came back: it may have happened or not."""


class Garbled(Exception):
    """The answer is not what this provider ever says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider's API: its name in the logs, where it is, what goes with every call, and which answers to retry.

    `base` has scheme, host and port alone; every call goes there and nowhere else. `is_retried` is asked about
    each answer that is no success. `identity_file` is a PEM file with the certificate and the key that we show there.
    """

    name: str
    base: str
    headers: Mapping[str, str] = field(repr=False)
    is_retried: Callable[[ProviderAnswer], bool]
    identity_file: str = field(default="", repr=False)

    def send(self, call: Call, *, limits: Limits) -> ProviderAnswer:
        """Make the call, again under the same headers while it makes sense and time is left.

        Not to be called inside a database transaction. Raises NotSent and NoAnswer. The last answer is given
        whatever its status is.
        """
        until = min(time.monotonic() + limits.total_s, ends_at())
        silence: NoAnswer | None = None
        for attempt in range(1, limits.attempts + 1):
            began = time.monotonic()
            wait_s, answer, silent = 0.0, None, None
            try:
                answer = _attempted(self, call, limits=limits, until=until)
            except ProviderSilent as failure:
                silent = failure
            _log(self, call, attempt=attempt, began=began, answer=answer, silent=silent)
            if answer is not None:
                if answer.is_success or not self.is_retried(answer):
                    return _after(silence, answer)
                wait_s = _asked_to_wait_s(answer)
            wait_s = max(wait_s, _back_off_s(attempt))
            if attempt == limits.attempts or time.monotonic() + wait_s >= until:
                if answer is not None:
                    return _after(silence, answer)
                raise silence or silent or NotSent("no_attempt")
            if isinstance(silent, NoAnswer):
                silence = silent
            elif answer is not None and _is_in_doubt(answer):
                silence = NoAnswer(f"http_{answer.status}")
            time.sleep(wait_s)
        raise NotSent("no_attempt")


def _attempted(provider: Provider, call: Call, *, limits: Limits, until: float) -> ProviderAnswer:
    left_s = until - time.monotonic()
    if left_s <= 0:
        raise NotSent("no_time_left")
    try:
        response = _session(provider.base).request(
            call.method,
            provider.base + call.path,
            data=call.body or None,
            # What is compressed can be larger than it looks.
            headers={**provider.headers, "Accept-Encoding": "identity", **call.headers},
            cert=provider.identity_file or None,
            timeout=(min(limits.connect_s, left_s), min(limits.read_s, left_s)),
            allow_redirects=False,
            stream=True,
        )
    except requests.ConnectTimeout:
        raise NotSent("connect_timeout") from None
    except requests.Timeout:
        raise NoAnswer("timeout") from None
    except requests.RequestException as failure:
        # The exception quotes the address, and with it a provider's id.
        raise (NotSent("unreachable") if _never_sent(failure) else NoAnswer("connection_lost")) from None
    with response:
        body = _read(response, limits=limits, until=until)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return ProviderAnswer(status=response.status_code, headers=headers, body=body)


def _read(response: requests.Response, *, limits: Limits, until: float) -> bytes:
    """Read the body as it comes, so that neither a huge nor a dripping one holds us longer than agreed."""
    body = bytearray()
    try:
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > limits.answer_bytes:
                raise NoAnswer("answer_too_large")
            if time.monotonic() > until:
                raise NoAnswer("timeout")
    except urllib3.exceptions.TimeoutError:
        raise NoAnswer("timeout") from None
    except (urllib3.exceptions.HTTPError, OSError):
        raise NoAnswer("connection_lost") from None
    if response.raw.length_remaining:
        raise NoAnswer("connection_lost")
    return bytes(body)


def _never_sent(failure: requests.RequestException) -> bool:
    """Whether the request can't have left: no connection was made, or the other side couldn't prove its name."""
    cause = getattr(failure.args[0], "reason", None) if failure.args else None
    if isinstance(cause, urllib3.exceptions.SSLError):
        return bool(cause.args) and isinstance(cause.args[0], ssl.SSLCertVerificationError)
    return isinstance(cause, urllib3.exceptions.NewConnectionError)


def _is_in_doubt(answer: ProviderAnswer) -> bool:
    """Whether the provider may have acted all the same: it broke, gave up waiting, or is still at it."""
    return answer.status in (408, 409) or answer.status >= 500


def _after(silence: NoAnswer | None, answer: ProviderAnswer) -> ProviderAnswer:
    if silence is None:
        return answer
    return ProviderAnswer(
        status=answer.status, headers=answer.headers, body=answer.body, follows_silence=True
    )


def _asked_to_wait_s(answer: ProviderAnswer) -> float:
    """Tell the seconds of `Retry-After`, which are a number or a date (RFC 9110, 10.2.3); 0 when there are none."""
    asked = answer.headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        return max((parsedate_to_datetime(asked) - now()).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0


def _back_off_s(attempt: int) -> float:
    """Half a second, doubled with each attempt, less a random part so that clients don't return all at once."""
    longest = min(0.5 * 2.0 ** (attempt - 1), LONGEST_BACK_OFF_S)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  spreads load, guards nothing


def _log(
    provider: Provider,
    call: Call,
    *,
    attempt: int,
    began: float,
    answer: ProviderAnswer | None,
    silent: ProviderSilent | None,
) -> None:
    said = {} if answer is None else {"provider_request": answer.headers.get("request-id", "")}
    logger.info(
        "provider_called",
        provider=provider.name,
        call=call.name,
        attempt=attempt,
        outcome=silent.reason if answer is None and silent else answer.status if answer else "",
        duration_ms=round((time.monotonic() - began) * 1000),
        **said,
    )


@lru_cache(maxsize=8)
def _session(base: str) -> requests.Session:
    """Keep connections to one host; neither its cookies nor this machine's proxies and passwords count."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount(base, HTTPAdapter(max_retries=0))
    return session

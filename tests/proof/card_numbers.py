"""Part 7: card numbers in every place of every call, and then nowhere else: no table, no key of Valkey, no log, no page."""

import random
import re
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

import redis

from config.redaction import redacted_text
from tests.access.matrix import MATRIX
from tests.access.scene import filled, two_customers
from tests.factories.people import someone
from tests.proof.access import WRITES, fields_of_all_models
from tests.proof.calls import HttpApi
from tests.proof.parts import Bounds, PartReport
from tests.proof.stack import Stack
from tokens.cards import passes_luhn
from users.roles import AUTHENTICATED, PUBLIC, ROLES

NUMBERS, UUIDS = 1000, 1_000_000
MOST_MASKED = 0.0001
HEADERS = (
    "X-Request-ID",
    "User-Agent",
    "Referer",
    "Idempotency-Key",
    "X-Card",
    "Cookie",
    "traceparent",
    "Accept",
)
TEXT_FIELDS = ("description", "label", "reference", "reason", "notes", "name", "holder", "metadata")
UNREADABLE = (
    "GET /api/v1/wallet?q=%s none/1.1\r\n\r\n",
    "(%s) /health HTTP/1.1\r\n\r\n",
    "GET /health HTTP/1.1\r\n%s (: x\r\n\r\n",
    "%s /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
)
"""A line without a version, a method and a header's name of no letters; and a method that nobody has."""
LONGEST_ANSWER_S = 10.0
LENGTH = 16
RUNS = re.compile(r"\d(?:(?:%20|[ +_.-])?\d){15,}")
NO_DIGITS = re.compile(r"%20|\D")
LONGEST_PART = 3000
"""Characters of a path or query; the server takes a request line of 4,094."""


def forms(number: str) -> tuple[str, str, str, str]:
    """Write a number as it is, in groups with spaces and with dashes, and in other groups."""
    groups = [number[place : place + 4] for place in range(0, len(number), 4)]
    return number, " ".join(groups), "-".join(groups), f"{number[:6]} {number[6:12]} {number[12:]}"


def number_of_nobody(rng: random.Random) -> str:
    """Make a card number that nothing else has."""
    body = "4539" + "".join(rng.choice("0123456789") for _ in range(11))
    return next(f"{body}{digit}" for digit in range(10) if passes_luhn(f"{body}{digit}"))


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Send every number in every form to every operation; then look everywhere for its digits."""
    rng = random.Random(seed)
    numbers = [number_of_nobody(rng) for _ in range(bounds.of(NUMBERS))]
    written = [form for number in numbers for form in forms(number)]
    asks, own, _foreign = two_customers(lambda who: HttpApi(stack.port, who))
    roles = {role: HttpApi(stack.port, someone(role)) for role in ROLES}
    figures: dict[str, int | float | str] = {"numbers": len(numbers), "forms of each": 4, "requests": 0}
    pages: list[str] = []
    operations, sent = 0, 0
    for (method, path), call in MATRIX.items():
        if bounds.left_s < 40:
            break
        scopes = (call.scope,) if isinstance(call.scope, str) else call.scope
        by = asks
        if not ROLES["user"].union({PUBLIC, AUTHENTICATED}).intersection(scopes):
            by = next(roles[role] for role, held in ROLES.items() if held.intersection(scopes))
        operations += 1
        for asked in _requests(method, filled(path, own), filled(call.body, own), written, rng):
            answer = _sent(by, *asked)
            sent += 1
            if answer is not None:
                pages.append(answer)
    unread = [_answer_to_garbage(stack.port, template % form) for form in written for template in UNREADABLE]
    pages += unread
    figures |= {"operations": operations, "requests": sent, "requests that nobody can read": len(unread)}
    time.sleep(5)  # what is logged and published in the background
    places = everywhere(stack, pages)
    found: list[str] = []
    for place, text in places.items():
        hits = numbers_in_text(text, numbers)
        found += [f"{place} holds {hit}" for hit in hits[:3]]
        figures[f"characters of {place}"] = len(text)
        figures[f"numbers in {place}"] = len(hits)
    ids = [str(UUID(int=rng.getrandbits(128), version=4)) for _ in range(bounds.of(UUIDS))]
    masked = sum(1 for one in ids if redacted_text(one) != one) if not bounds.is_over else 0
    figures |= {"random UUIDs": len(ids), "of them masked": masked}
    if masked > MOST_MASKED * len(ids):
        found.append(f"{masked} of {len(ids)} random UUIDs are masked")
    is_complete = operations == len(MATRIX)
    return PartReport(
        "card_numbers",
        seed,
        figures,
        holds=not found,
        tried=sent,
        is_complete=is_complete,
        found=tuple(found),
    )


def numbers_in_text(text: str, numbers: Collection[str]) -> list[str]:
    """List the numbers whose digits stand in a text, in whatever groups, also as an address spells them."""
    wanted, seen = set(numbers), dict[str, None]()
    for run in RUNS.finditer(text):
        digits = NO_DIGITS.sub("", run.group())
        for place in range(len(digits) - LENGTH + 1):
            if (one := digits[place : place + LENGTH]) in wanted:
                seen[one] = None
    return list(seen)


Asked = tuple[str, str, Any, dict[str, str]]


def _requests(
    method: str, path: str, body: dict[str, Any] | None, written: list[str], rng: random.Random
) -> Iterator[Asked]:
    """Make the requests that carry all of `written` in body, query, path and headers of one operation."""
    some = rng.sample(written, 3)
    for packed in packs(written, LONGEST_PART):
        yield method, f"{path}?q={quote(packed)}", body, {}
        yield method, f"{path}/{quote(packed)}", body, {}
        yield method, path, body, {"X-Card": packed, "User-Agent": packed}
    for header in HEADERS:
        yield method, path, body, {header: rng.choice(written)}
    yield method, f"{path}?cursor={quote(some[0])}&limit={quote(some[1])}", body, {}
    if method in WRITES:
        known = body or {}
        names = fields_of_all_models()
        for packed in packs(written, 100_000):
            yield method, path, {**known, "card": packed, packed[:40]: 1}, {}
            yield method, path, ("{" + packed).encode(), {}
        for name in [*known, *TEXT_FIELDS, rng.choice(names)]:
            for value in rng.sample(written, 4):
                yield method, path, {**known, name: value}, {}
                yield method, path, {**known, name: {"note": value, value: value}}, {}


def packs(written: list[str], longest: int) -> Iterator[str]:
    """Put as many of them into one text as fit."""
    held: list[str] = []
    length = 0
    for form in written:
        if length + len(form) + 3 > longest and held:
            yield ", ".join(held)
            held, length = [], 0
        held.append(form)
        length += len(form) + 3
    if held:
        yield ", ".join(held)


def _sent(by: HttpApi, method: str, path: str, body: Any, headers: dict[str, str]) -> str | None:
    try:
        answer = by.call(method, path, body, key=None if "Idempotency-Key" in headers else "", **headers)
    except (OSError, ValueError):
        return None
    echo = {"x-request-id"}
    told = " ".join(value for name, value in answer.headers.items() if name not in echo)
    return f"{answer.content.decode(errors='replace')} {told}" if answer.status_code >= 400 else None


def _answer_to_garbage(port: int, sent: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_ANSWER_S) as connection:
        connection.sendall(sent.encode())
        told = b""
        while part := connection.recv(65536):
            told += part
    return told.decode(errors="replace")


def everywhere(stack: Stack, pages: Sequence[str]) -> dict[str, str]:
    """Read all there is: every table as its owner, Valkey, all logs, the metrics, and the error pages that came back."""
    with stack.owner() as owner:
        tables = [
            row[0]
            for row in owner.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
        ]
        rows: list[str] = []
        for table in tables:
            with owner.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT") as copied:
                rows += [bytes(chunk).decode(errors="replace") for chunk in copied]
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as store:
        kept = "\n".join(f"{key!r} {store.dump(key)!r}" for key in store.scan_iter())
    return {
        "tables": "".join(rows),
        "Valkey": kept,
        "logs": stack.said(),
        "metrics": HttpApi(stack.port).call("GET", "/metrics", prefix="").content.decode(),
        "error pages": "\n".join(pages),
    }

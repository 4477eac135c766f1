"""Looks for card data where none may be: in every table, in Redis, and in whatever text it is given."""

import base64
import re
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.db import connection
from django_redis import get_redis_connection

TEST_NUMBERS = (
    "4242424242424242",
    "4000000000000002",
    "4000000000000119",
    "4000000000000259",
    "4000000000000341",
    "4000000000005126",
    "4000000000009995",
    "378282246310005",
)
"""The numbers that the tests save and charge."""


def forms_of(number: str) -> Iterator[str]:
    """Give the ways in which a number may be written: plain, in groups, as the hex of a `bytea`, in base64."""
    yield number
    groups = [number[place : place + 4] for place in range(0, len(number), 4)]
    yield " ".join(groups)
    yield "-".join(groups)
    yield number.encode().hex()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + number.encode()).decode()
        # The first and last characters depend on what stands beside the number.
        yield encoded[4 if shift else 0 : -4]


def numbers_in(text: str, numbers: Iterable[str]) -> list[str]:
    """List the numbers that a text holds in any form."""
    return [number for number in numbers if any(form in text for form in forms_of(number))]


def security_code_in(text: str, code: str) -> bool:
    """Whether a text holds a security code by itself: within an id or a fraction it's chance."""
    return re.search(rf"(?<![\w.-]){code}(?![\w.-])", text) is not None


def database_dump() -> str:
    """Read every row of every table that the application can read, as text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            " AND has_table_privilege(format('%I.%I', schemaname, tablename), 'SELECT')",
        )
        parts = []
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT row_of::text FROM {table} row_of")
            parts += [row for (row,) in cursor.fetchall()]
    return "\n".join(parts)


def redis_dump() -> str:
    """Read every key of our Redis database, caches, counters and queues, as text; empty without Redis.

    The published API document is left out: its examples show a test card.
    """
    if not settings.REDIS_URL:
        return ""
    redis = get_redis_connection("default")
    readers = {
        b"string": redis.get,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
    }
    kept = [key for key in redis.scan_iter() if b":response:" not in key]
    return "\n".join(f"{key!r} {readers[redis.type(key)](key)!r}" for key in kept)

"""Statements of the hot path: run raw and prepared, one round trip each.

Compiling querysets costs 16 times the CPU of the statements themselves, and planning them anew most of the
rest. Everything else uses the ORM.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from django.db import connections
from psycopg.types.numeric import Int8

PRIMARY = "default"


def run(statement: str, parameters: Sequence[Any], *, using: str = PRIMARY) -> list[tuple[Any, ...]]:
    """Run one statement on the application's connection, in its transaction, and return its rows.

    `using` names another connection for reads that may come from a replica (`transactions.replicas`).
    Raises Django's database errors, as the ORM would.
    """
    connection = connections[using]
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.RawCursor(connection.connection) as cursor:
        # By default each integer is sent in the smallest type that holds it, and every mix of types would be
        # planned as a statement of its own.
        typed = [Int8(value) if type(value) is int else value for value in parameters]
        cursor.execute(_numbered(statement), typed, prepare=True)
        # Asking for `description` would describe each column anew.
        return cursor.fetchall() if cursor.rownumber is not None else []


@lru_cache(maxsize=512)
def _numbered(statement: str) -> bytes:
    """Write `%s` as `$1`, `$2`, …: psycopg takes that as it is, and else reads a long statement anew each time."""
    number = count(1)
    return re.sub("%s", lambda _: f"${next(number)}", statement).encode()

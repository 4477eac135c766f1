"""Statements of the hot path: run raw and prepared, one round trip each.

Compiling querysets costs 16 times the CPU of the statements themselves, and planning them anew most of the
rest. Everything else uses the ORM.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection
from psycopg.types.numeric import Int8


def run(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement on the application's connection, in its transaction, and return its rows.

    Raises Django's database errors, as the ORM would.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        # By default each integer is sent in the smallest type that holds it, and every mix of types would be
        # planned as a statement of its own.
        typed = [Int8(value) if type(value) is int else value for value in parameters]
        cursor.execute(statement, typed, prepare=True)
        return cursor.fetchall() if cursor.description else []

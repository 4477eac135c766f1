"""What the database says of its own guards: the tests go by this list, so that none is left without an attack."""

from django.db import connection, transaction

LEAF = r"_\d{4}_\d{2}$"


def fetched(statement: str, *parameters: object) -> list[tuple]:
    """Run a query on the application's connection."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def executed(statement: str, *parameters: object) -> None:
    """Run a statement that may fail, in a savepoint of its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def triggers_of(app: str) -> set[tuple[str, str]]:
    """List the app's triggers as (table, trigger); those of partitions' leaves are left out."""
    return set(
        fetched(
            "SELECT c.relname::text, t.tgname::text FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid"
            " WHERE NOT t.tgisinternal AND NOT c.relispartition AND c.relname LIKE %s",
            f"{app}\\_%",
        )
    )


def checks_of(app: str) -> set[str]:
    """List the names of the app's CHECK constraints."""
    rows = fetched(
        "SELECT t.conname::text FROM pg_constraint AS t JOIN pg_class AS c ON c.oid = t.conrelid"
        " WHERE t.contype = 'c' AND NOT c.relispartition AND c.relname LIKE %s",
        f"{app}\\_%",
    )
    return {name for (name,) in rows}


def indexes_of(app: str) -> dict[str, str]:
    """Map the names of the app's indexes to their kind, columns and condition."""
    return dict(
        fetched(
            "SELECT indexname::text, substring(indexdef from 'USING (.*)') FROM pg_indexes"
            " WHERE tablename LIKE %s AND tablename !~ %s",
            f"{app}\\_%",
            LEAF,
        )
    )


def leaves_of(table: str) -> list[str]:
    """List the partitions of a table."""
    rows = fetched(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1", table
    )
    return [name for (name,) in rows]

"""What keeps a migration from getting into anybody's way: one at a time, within bounds, and without remains of the last try."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK_WITHIN_S = 4
"""How long a lock is waited for: whoever comes after waits behind it, and the application gives up after as long."""
STATEMENT_WITHIN_S = 30
INDEX_LOCK_WITHIN_S = 60
"""An index that is built CONCURRENTLY waits for transactions that are under way, and keeps nobody waiting."""
INDEX_WITHIN_S = 4 * 3600

_MIGRATING = 0x4F574D49
_UNFINISHED = (
    "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_index AS i"
    " JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE NOT i.indisvalid AND c.relkind = 'i' AND pg_get_userbyid(c.relowner) = current_user"
)


@contextmanager
def alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Be the only one who migrates this database. Refuses with CommandError while somebody else does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATING])
        if not cursor.fetchone()[0]:
            raise CommandError("Another migration of this database is running: wait for its end.")
    try:
        yield
    finally:
        # A connection that was lost has let go of it already.
        if connection.connection is not None and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATING])


def drop_unfinished_indexes(connection: BaseDatabaseWrapper) -> None:
    """Drop what a CREATE INDEX CONCURRENTLY that was broken off has left: it helps nobody, and its name is taken."""
    with connection.cursor() as cursor:
        cursor.execute(_UNFINISHED)
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def set_bounds(connection: BaseDatabaseWrapper, *, is_atomic: bool) -> None:
    """Say how long the coming migration may wait and take: not long where it holds its locks to the end."""
    lock_s, statement_s = (
        (LOCK_WITHIN_S, STATEMENT_WITHIN_S) if is_atomic else (INDEX_LOCK_WITHIN_S, INDEX_WITHIN_S)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)",
            [f"{lock_s}s", f"{statement_s}s"],
        )


def reset_bounds(connection: BaseDatabaseWrapper) -> None:
    """Go back to the bounds that the connection was made with."""
    if connection.connection is not None and connection.is_usable():
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
            cursor.execute("RESET statement_timeout")

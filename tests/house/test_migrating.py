"""`manage.py migrate` gives up rather than wait long, says so, leaves nothing half done, and passes when tried again."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from config import migration_guards
from config.database_grants import grant


@pytest.fixture
def two_more(committed: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two migrations more than the app `config` has, and little patience; they are taken back in the end."""
    settings.MIGRATION_MODULES = {"config": "tests.house.waiting.migrations"}
    monkeypatch.setattr(migration_guards, "LOCK_WITHIN_S", 1)
    monkeypatch.setattr(migration_guards, "INDEX_LOCK_WITHIN_S", 1)
    yield
    migrate("0001")


def migrate(target: str) -> None:
    call_command(
        "migrate", "config", target, database="owner", verbosity=0, skip_checks=True, stdout=StringIO()
    )


@contextmanager
def another_session() -> Iterator[psycopg.Connection]:
    """The owner, on a connection of its own."""
    parts = connections["owner"].get_connection_params()
    with psycopg.connect(
        **{name: parts[name] for name in ("dbname", "user", "password", "host", "port")}
    ) as it:
        yield it


def found(query: str) -> Any:
    with connections["owner"].cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


COLUMN = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'spare'"
INDEX = "SELECT string_agg(indisvalid::text, ',') FROM pg_index WHERE indexrelid::regclass::text = 'counter_by_spare'"


def test_given_a_lock_of_another_session_then_the_migration_gives_up_says_so_and_passes_when_tried_again(
    two_more: None,
) -> None:
    with another_session() as other:
        other.execute("LOCK TABLE rate_limit_counter IN ACCESS SHARE MODE")
        started_s = time.monotonic()

        with pytest.raises(CommandError, match=r"another session holds a lock that it needs.*run this again"):
            migrate("0002")

        assert 0.9 < time.monotonic() - started_s < 4
        assert found(COLUMN) == 0
        other.rollback()

    migrate("0002")

    assert found(COLUMN) == 1
    assert found("SHOW lock_timeout") == "4s"
    assert found("SHOW statement_timeout") == "30s"


def test_given_an_index_that_was_broken_off_then_the_next_try_builds_it_anew(two_more: None) -> None:
    migrate("0002")
    with another_session() as other:
        other.execute("LOCK TABLE rate_limit_counter IN ROW EXCLUSIVE MODE")
        with pytest.raises(CommandError, match="given up"):
            migrate("0003")
        left = found(INDEX)
        other.rollback()

    migrate("0003")

    assert left == "false"
    assert found(INDEX) == "true"


def test_given_a_migration_under_way_then_another_one_waits_for_nobody_and_refuses(two_more: None) -> None:
    with another_session() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [migration_guards._MIGRATING])

        with pytest.raises(CommandError, match="Another migration of this database is running"):
            migrate("0002")

    assert found(COLUMN) == 0


def test_when_privileges_are_given_again_then_the_version_that_serves_is_never_without_them(
    committed: None,
) -> None:
    over = threading.Event()

    def ask() -> int:
        asked = 0
        while not over.is_set():
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM events_noticeplace")
            asked += 1
        connection.close()
        return asked

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        for _ in range(5):
            grant(using="owner")
        over.set()

        assert asking.result() > 20

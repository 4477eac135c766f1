"""What all tests share: a database of their own on a real PostgreSQL, used as the application's role."""

import os
import socket
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections, transaction
from django.urls import get_resolver

from events import clock
from payments.processors import circuit_breaker
from tests.leaks import TEST_NUMBERS, database_dump, numbers_in, redis_dump
from transactions.integrity import check_books

# `direct` is there only while the tests run through a pooler (`make drill-pgbouncer`).
ALIASES = {"default": "DATABASE_URL", "owner": "DATABASE_OWNER_URL", "direct": "DATABASE_DIRECT_URL"}
_REAL_CONNECT = socket.socket.connect

# An example that takes long on a busy machine is no fault.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def _connect_to_this_machine_only(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
        "127.0.0.1",
        "::1",
        "localhost",
    ):
        raise AssertionError(f"a test tried to reach {address[0]}")
    _REAL_CONNECT(self, address)


@pytest.fixture(autouse=True, scope="session")
def whole_url_table() -> None:
    """Load the sandbox's routes too, before a test says that it isn't one: the table is loaded once, when first asked."""
    assert get_resolver().url_patterns


@pytest.fixture(autouse=True, scope="session")
def closed_network() -> Iterator[None]:
    """No test reaches anything but this machine."""
    socket.socket.connect = _connect_to_this_machine_only  # type: ignore[method-assign]
    yield
    socket.socket.connect = _REAL_CONNECT  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Make a database as the owner, migrate it, and let the tests work in it as the application's role."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"test_{settings.DATABASES['default']['NAME']}_{worker}"
    maintenance = f"{name[5:].rsplit('_', 1)[0]}"
    with django_db_blocker.unblock():
        owner = connections["owner"]
        with owner.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute(f'CREATE DATABASE "{name}"')
        for alias in (alias for alias in ALIASES if alias in settings.DATABASES):
            connections[alias].close()
            connections[alias].settings_dict["NAME"] = name
            settings.DATABASES[alias]["NAME"] = name
        call_command("migrate", database="owner", verbosity=0, skip_checks=True)
        connections["owner"].close()
    yield
    with django_db_blocker.unblock():
        # Whatever the tests committed, with races and kills, has to balance.
        breaches = [breach for _proof, found in check_books() for breach in found]
        leaked = numbers_in(database_dump() + redis_dump(), TEST_NUMBERS)
        for connection in connections.all(initialized_only=True):
            connection.close()
        if "direct" in settings.DATABASES:
            _end_own_sessions()
        owner.settings_dict["NAME"] = maintenance
        with owner.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        owner.close()
    assert breaches == []
    assert leaked == [], "card numbers stand in the tables or in Redis"


def _end_own_sessions() -> None:
    """End what a pooler keeps open in the tests' database: another role's sessions the owner can't end."""
    with connections["direct"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
    connections["direct"].close()


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Let the test commit for real, also from threads and child processes.

    The book can't be emptied, so nothing is: such a test makes rows of its own and looks at those alone.
    """
    with django_db_blocker.unblock():
        yield
        for connection in connections.all(initialized_only=True):
            connection.close()


@pytest.fixture
def as_owner(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Work as the tables' owner, in one transaction that is rolled back: to break what the application can't."""
    with django_db_blocker.unblock():
        application, owner = connections["default"], connections["owner"]
        connections["default"] = owner
        try:
            with transaction.atomic():
                with owner.cursor() as cursor:
                    # What `check_books` asks for, which is too late after the first query.
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                yield
                transaction.set_rollback(True)
        finally:
            connections["default"] = application
            owner.close()


@pytest.fixture(scope="session")
def database_environment(django_db_setup: None) -> dict[str, str]:
    """The environment for a child process that works in the test's own database."""
    environment = dict(os.environ)
    # REDIS_URL names this worker's own database by now; a child that knew of the worker would count on from there.
    environment.pop("PYTEST_XDIST_WORKER", None)
    for alias, variable in ALIASES.items():
        if alias not in settings.DATABASES:
            continue
        parts = settings.DATABASES[alias]
        environment[variable] = (
            f"postgres://{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"
        )
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    return environment


@pytest.fixture(scope="session", autouse=True)
def routes() -> None:
    """Read the routes while the settings are nobody's: some are there in a sandbox only."""
    _ = get_resolver().url_patterns


@pytest.fixture(autouse=True)
def empty_caches() -> None:
    """Start with empty caches and counters."""
    cache.clear()


@pytest.fixture(autouse=True)
def closed_circuits() -> None:
    """Let no provider suffer from what an earlier test made it do."""
    circuit_breaker.forget_all()


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has moved the clock, and no call asks the database whether somebody has; the clock's own tests do."""
    monkeypatch.setattr(clock, "_leads", clock._UNMOVED)
    monkeypatch.setattr(clock, "_read_at_s", float("inf"))

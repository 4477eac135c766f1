"""The counters are exact, in one round trip, wherever they are kept."""

import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection
from pytest_django import Settings

from config.gateway.rate_counters import count, purge_expired_counters
from events.redis_link import RedisLink, link

PROCESSES = 8
INCREMENTS = 200

COUNTING = f"""
import sys
from config.gateway.rate_counters import count
for _ in range({INCREMENTS}):
    count({{sys.argv[1]: 900, sys.argv[2]: 900}})
"""


@pytest.mark.parametrize("kept_in", ["postgresql", "redis"])
def test_when_eight_processes_count_at_once_then_no_call_is_lost(
    committed: None, database_environment: dict[str, str], settings: Settings, kept_in: str
) -> None:
    environment = dict(database_environment)
    if kept_in == "postgresql":
        environment["REDIS_URL"] = ""
        settings.REDIS_URL = ""
    keys = [f"test:{uuid4()}", f"test:{uuid4()}"]

    # Half of them name the keys in the other order, which must not deadlock.
    children = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTING, *(keys if number % 2 else keys[::-1])], env=environment
        )
        for number in range(PROCESSES)
    ]
    ended = [child.wait(timeout=60) for child in children]

    assert ended == [0] * PROCESSES
    assert count(dict.fromkeys(keys, 900)) == dict.fromkeys(keys, PROCESSES * INCREMENTS + 1)
    assert PROCESSES * INCREMENTS == 1600


def test_when_several_quotas_are_counted_then_it_is_one_statement(db: None, settings: Settings) -> None:
    settings.REDIS_URL = ""
    keys = {f"test:{uuid4()}": 900 for _ in range(3)}

    with CaptureQueriesContext(connection) as queries:
        counts = count(keys)

    assert counts == dict.fromkeys(keys, 1)
    assert len(queries) == 1


def test_when_several_quotas_are_counted_in_redis_then_it_is_one_round_trip(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {f"test:{uuid4()}": 900 for _ in range(3)}
    count(keys)
    sent: list[Any] = []
    exchange = RedisLink._exchange
    monkeypatch.setattr(
        RedisLink, "_exchange", lambda self, command: sent.append(command[0]) or exchange(self, command)
    )

    counts = count(keys)

    assert counts == dict.fromkeys(keys, 2)
    assert sent == ["EVALSHA"]


def test_when_the_kept_connection_was_closed_then_a_new_one_counts(settings: Settings) -> None:
    key = f"test:{uuid4()}"
    count({key: 900})
    kept = link.ask("CLIENT", "ID")
    get_redis_connection("default").client_kill_filter(_id=kept)

    assert count({key: 900}) == {key: 2}


def test_when_redis_forgot_the_script_then_it_counts_still(settings: Settings) -> None:
    key = f"test:{uuid4()}"
    count({key: 900})
    get_redis_connection("default").script_flush()

    assert count({key: 900}) == {key: 2}


def test_when_a_counter_is_made_then_it_outlives_its_window_a_little(settings: Settings) -> None:
    key = f"test:{uuid4()}"

    count({key: 900})

    assert 900 < get_redis_connection("default").ttl(key) <= 905


def test_when_windows_are_over_then_their_counters_are_purged(db: None, settings: Settings) -> None:
    settings.REDIS_URL = ""
    old, new = f"test:{uuid4()}", f"test:{uuid4()}"
    count({old: 900, new: 900})
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE rate_limit_counter SET expires_at = now() - interval '1 second' WHERE key = %s", [old]
        )

    purged = purge_expired_counters()

    assert purged == 1
    assert count({old: 900, new: 900}) == {old: 1, new: 2}


def test_when_the_server_restarts_then_the_table_costs_it_no_log(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'rate_limit_counter'")
        (persistence,) = cursor.fetchone()

    assert persistence == "u"

"""The sandbox's clock: moved for all or for a wallet, never back, known to every process soon; still in production."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.db import IntegrityError, OperationalError
from uuid_utils.compat import uuid7

from config.gateway.moved_time import MovedTimeMiddleware
from events import clock
from events.models import ClockLead
from tests.factories.schema import executed

DAY = timedelta(days=1)


def ahead(at: datetime) -> timedelta:
    """Round how far a moment lies ahead of the machine's clock."""
    return timedelta(seconds=round((at - datetime.now(UTC)).total_seconds()))


@pytest.fixture
def unknown_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has never read the clock."""
    monkeypatch.setattr(clock, "_read_at_s", float("-inf"))


def test_when_nobody_moved_the_clock_then_it_is_the_machine_s(db):
    assert ahead(clock.now()) == ahead(clock.now_of(uuid7())) == timedelta()
    assert not clock.wallets_run_ahead()


def test_when_the_clock_of_all_is_moved_then_every_wallet_s_moves_along(db):
    clock.set_ahead(to=clock.now() + DAY)

    assert ahead(clock.now()) == ahead(clock.now_of(uuid7())) == DAY


def test_when_a_wallet_s_clock_is_moved_then_it_runs_ahead_of_everybody_s_alone(db):
    mine, other = uuid7(), uuid7()

    clock.set_ahead(to=clock.now_of(mine) + 3 * DAY, wallet_id=mine)
    clock.set_ahead(to=clock.now() + DAY)

    assert ahead(clock.now()) == ahead(clock.now_of(other)) == DAY
    assert ahead(clock.now_of(mine)) == 4 * DAY
    with clock.time_of(mine):
        assert ahead(clock.now()) == 4 * DAY
    assert ahead(clock.now()) == DAY


def test_when_a_sweep_asks_whose_time_it_is_then_it_is_everybody_s_and_then_each_wallet_s_that_runs_ahead(db):
    mine = uuid7()
    clock.set_ahead(to=clock.now() + DAY, wallet_id=mine)

    assert [(wallet_id, ahead(clock.now())) for wallet_id in clock.times()] == [
        (None, timedelta()),
        (mine, DAY),
    ]
    assert ahead(clock.now()) == timedelta()


def test_when_the_clock_is_set_to_the_past_then_it_stays(db):
    clock.set_ahead(to=clock.now() + DAY)

    clock.set_ahead(to=clock.now() - DAY)
    clock.set_ahead(to=datetime(1999, 1, 1, tzinfo=UTC))

    assert ahead(clock.now()) == DAY


def test_when_another_process_moved_the_clock_then_it_is_known_once_the_own_knowledge_is_old(
    db, monkeypatch, unknown_clock
):
    clock.refresh()
    ClockLead.objects.create(id=clock.EVERYBODY, ahead=DAY, moved_at=datetime.now(UTC))

    clock.refresh()
    while_fresh = ahead(clock.now())
    monkeypatch.setattr(clock, "_read_at_s", clock._read_at_s - clock.AGREED_WITHIN_S)
    clock.refresh()

    assert (while_fresh, ahead(clock.now())) == (timedelta(), DAY)


def test_when_the_database_is_away_then_the_clock_stays_as_it_was(db, monkeypatch, unknown_clock):
    clock.set_ahead(to=clock.now() + DAY)
    monkeypatch.setattr(clock, "_read_at_s", float("-inf"))

    def unreachable() -> clock.Leads:
        raise OperationalError("the server has gone")

    monkeypatch.setattr(clock, "_stored_leads", unreachable)
    clock.refresh()

    assert ahead(clock.now()) == DAY


def test_when_a_clock_would_run_behind_then_the_table_refuses(db):
    with pytest.raises(IntegrityError, match="clock_runs_ahead"):
        executed(
            "INSERT INTO events_clocklead (id, ahead, moved_at) VALUES (%s, '-1 second', now())", uuid7()
        )


def test_when_it_is_production_then_the_clock_is_the_machine_s_and_no_call_looks_for_another(settings):
    asked = "import django; django.setup();from events import clock; print(clock.now is clock._machine_now)"
    environment = {
        **os.environ,
        "ALLOWED_HOSTS": "wallet.example.com",
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "OPEN_WALLET_MODE": "production",
        "PUBLIC_URL": "https://wallet.example.com",
    }

    told = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=Path(__file__).resolve().parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    settings.SANDBOX = False

    assert told.stdout.split()[-1] == "True"
    with pytest.raises(MiddlewareNotUsed):
        MovedTimeMiddleware(lambda _request: None)

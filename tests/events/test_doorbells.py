"""Doorbells: rung once what they ring for is there, and never in anybody's way."""

import re
import subprocess
import sys
from typing import Any

import pytest
from celery import current_app
from django.db import transaction

from events.doorbells import ring
from tests.journeys.running_stack import free_port

SWEEP = "payments.sweep_due_payments"


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[tuple[str, tuple[str, ...]]]:
    """What was sent to the broker."""
    sent: list[tuple[str, tuple[str, ...]]] = []
    settings.REDIS_URL = "redis://127.0.0.1/0"
    monkeypatch.setattr(current_app, "send_task", lambda name, args, **_options: sent.append((name, args)))
    return sent


def test_when_the_transaction_commits_then_the_bell_is_rung(committed, rung):
    with transaction.atomic():
        ring(SWEEP, "one")
        before = list(rung)

    assert (before, rung) == ([], [(SWEEP, ("one",))])


def test_when_the_transaction_is_rolled_back_then_nobody_is_rung(committed, rung):
    with transaction.atomic():
        ring(SWEEP, "one")
        transaction.set_rollback(True)

    assert rung == []


def test_when_there_is_no_transaction_then_the_bell_is_rung_at_once(committed, rung):
    ring(SWEEP)

    assert rung == [(SWEEP, ())]


def test_when_there_is_no_redis_then_nobody_is_rung(committed, rung, settings):
    settings.REDIS_URL = ""

    ring(SWEEP)

    assert rung == []


def test_when_the_broker_is_gone_then_the_bell_is_lost_within_a_second_and_nothing_fails(
    database_environment,
):
    rings = (
        "import time; from config.celery import app; from events.doorbells import ring; began = time.monotonic();"
        f" ring('{SWEEP}'); print('took', time.monotonic() - began)"
    )

    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", rings],
        env={**database_environment, "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0
    assert "doorbell_lost" in done.stdout + done.stderr
    assert float(re.findall(r"took (\S+)", done.stdout)[0]) < 1

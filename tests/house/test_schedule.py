"""The beat table names tasks that exist, each has its queue, and `manage.py work` runs the same ones without Celery."""

import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from config.celery import app
from config.schedule import BEAT, QUEUES, ROUTES
from deploy.local.application import WORKER_QUEUES

APPS = ("backoffice", "config", "events", "payments", "tokens", "transactions", "users", "wallets")


@pytest.fixture
def tasks() -> dict[str, Any]:
    """Every task that is ours, by its name."""
    autodiscover_modules("tasks")
    return {name: task for name, task in app.tasks.items() if task.__module__.split(".")[0] in APPS}


def test_every_entry_of_the_beat_table_names_a_task() -> None:
    autodiscover_modules("tasks")

    assert {entry["task"] for entry in BEAT.values()} - set(app.tasks) == set()


def test_every_task_waits_in_a_queue_that_the_worker_takes_from(tasks: dict[str, Any]) -> None:
    routed = {
        name: app.amqp.router.route({}, name)["queue"].name
        for name in tasks
        if any(fnmatchcase(name, pattern) for pattern in ROUTES)
    }

    assert set(routed) == set(tasks)
    assert set(routed.values()) <= set(QUEUES)
    assert tuple(WORKER_QUEUES.split(",")) == QUEUES
    assert routed["payments.sweep_due_payments"] == "money"
    assert routed["events.archive_partitions"] == "reports"


def test_no_task_is_handed_out_again_while_it_may_still_run(tasks: dict[str, Any]) -> None:
    """One task may wait behind another one that takes all of its time."""
    visible_after_s = settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]

    late = {
        name: task.time_limit or settings.CELERY_TASK_TIME_LIMIT
        for name, task in tasks.items()
        if task.acks_late
    }

    assert {name for name, limit_s in late.items() if 2 * limit_s >= visible_after_s} == set()
    assert set(tasks) - set(late) == {"events.archive_partitions"}
    assert all(task.reject_on_worker_lost for task in tasks.values())


def test_every_task_ends_by_itself_before_it_is_killed(tasks: dict[str, Any]) -> None:
    limits = {
        name: (
            task.soft_time_limit or settings.CELERY_TASK_SOFT_TIME_LIMIT,
            task.time_limit or settings.CELERY_TASK_TIME_LIMIT,
        )
        for name, task in tasks.items()
    }

    assert {name for name, (soft_s, hard_s) in limits.items() if soft_s >= hard_s} == set()


def test_a_sweep_that_nobody_took_by_its_next_turn_is_dropped() -> None:
    expiries = {name: entry["options"]["expires"] for name, entry in app.conf.beat_schedule.items()}

    assert expiries == {name: entry["schedule"] for name, entry in BEAT.items()}


def test_given_no_redis_then_one_round_of_work_runs_every_sweep(database_environment: dict[str, str]) -> None:
    environment = {**database_environment, "REDIS_URL": ""}

    done = subprocess.run(
        [sys.executable, "manage.py", "work", "--once"],
        cwd=Path(__file__).resolve().parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, "sweep_failed" in done.stdout + done.stderr) == (0, False)

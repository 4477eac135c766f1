"""The beat table names tasks that exist, and `manage.py work` runs the same ones without Celery."""

import subprocess
import sys
from pathlib import Path

from config.celery import app
from config.schedule import BEAT


def test_every_entry_of_the_beat_table_names_a_task() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in BEAT.values()} - set(app.tasks) == set()


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

"""The beat table without Celery: for installations that have no Redis."""

import signal
import threading
import time
from types import FrameType
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections

from config.celery import app
from config.schedule import BEAT
from config.sweep_outcomes import note_outcome
from events import clock

LONGEST_PAUSE_S = 15.0


class Command(BaseCommand):
    """`manage.py work`."""

    help = "Run the scheduled sweeps in this process, one after the other, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take --once, to run everything a single time."""
        parser.add_argument("--once", action="store_true", help="Run every sweep once and stop.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run each sweep whenever it is due; one that fails is logged and tried again at its next time."""
        app.loader.import_default_modules()
        stopping = threading.Event()

        def stop(_signal: int, _frame: FrameType | None) -> None:
            stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        due_at = dict.fromkeys(BEAT, 0.0)
        while not stopping.is_set():
            for name, entry in BEAT.items():
                if due_at[name] <= time.monotonic() and not stopping.is_set():
                    self._run(name, entry["task"])
                    due_at[name] = time.monotonic() + entry["schedule"]
            if options["once"]:
                return
            stopping.wait(max(0.1, min(min(due_at.values()) - time.monotonic(), LONGEST_PAUSE_S)))

    def _run(self, name: str, task: str) -> None:
        close_old_connections()
        clock.refresh()
        try:
            app.tasks[task].run()
        except Exception as failure:  # noqa: BLE001 - a sweep that fails must not stop the others
            structlog.get_logger().exception("sweep_failed", sweep=name)
            note_outcome(task, failure)
        else:
            note_outcome(task, None)

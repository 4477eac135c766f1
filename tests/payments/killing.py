"""Killing a process at a named step of a payment."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

from django.db import connections

from payments import steps
from payments.steps import Step


def killed_at(step: Step, run: Callable[[], Any]) -> int:
    """Run in a child process that dies of SIGKILL as soon as the step is reached; tells how the child ended."""

    def die(reached: Step) -> None:
        if reached is step:
            os.kill(os.getpid(), signal.SIGKILL)

    def run_until_then() -> None:
        steps.listeners.append(die)
        run()

    return in_child(run_until_then)


def in_child(run: Callable[[], Any]) -> int:
    """Run in a child process; tells how it ended."""
    connections.close_all()
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(timeout=30)
    assert process.exitcode is not None
    return process.exitcode

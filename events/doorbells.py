"""Doorbells: what makes a worker look at a due row at once instead of at its next sweep.

The row is the queue. A bell that is lost, rung twice or rung too late changes nothing but the moment at which the
row is looked at, so that ringing never fails and never waits for a broker.
"""

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

logger = structlog.get_logger()


def ring(task: str, *arguments: str) -> None:
    """Send a task by its name once the transaction under way has committed; at once where there is none.

    For entry points to call. Without Redis nobody is rung: the sweep finds the row.
    """
    if settings.REDIS_URL:
        transaction.on_commit(lambda: _send(task, arguments))


def _send(task: str, arguments: tuple[str, ...]) -> None:
    try:
        current_app.send_task(task, args=arguments, retry=False)
    except (OperationalError, OSError) as lost:
        logger.warning("doorbell_lost", task=task, arguments=arguments, reason=type(lost).__name__)

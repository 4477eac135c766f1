"""Doorbells and sweeps of the book."""

from celery import shared_task

from transactions import idempotency, roll_ups


@shared_task(name="transactions.roll_up")  # type: ignore[untyped-decorator]
def roll_up() -> None:
    """Sum up the system accounts until nothing waits."""
    while roll_ups.roll_up():
        pass


@shared_task(name="transactions.drop_old_answers")  # type: ignore[untyped-decorator]
def drop_old_answers() -> None:
    """Drop the bytes of answers that are kept no longer."""
    while idempotency.drop_old_answers():
        pass

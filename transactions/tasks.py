"""Doorbells and sweeps of the book."""

from celery import shared_task

from transactions import idempotency, roll_ups, seals


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


@shared_task(name="transactions.seal")  # type: ignore[untyped-decorator]
def seal() -> None:
    """Seal what has been completed and recorded since the last checkpoint."""
    seals.seal_recent()


@shared_task(name="transactions.seal_overlooked")  # type: ignore[untyped-decorator]
def seal_overlooked() -> None:
    """Seal the lines of every account that has some beyond its last seal."""
    seals.seal_overlooked()

"""Doorbells of payments: the due rows are the queue, a task only rings."""

from uuid import UUID

from celery import shared_task

from payments.reconciliation import reconcile_payment, sweep_due_payments


@shared_task(name="payments.reconcile_payment")  # type: ignore[untyped-decorator]  # Celery has no types
def reconcile_one_payment(payment_id: str) -> None:
    """Find out what became of one payment."""
    reconcile_payment(payment_id=UUID(payment_id))


@shared_task(name="payments.sweep_due_payments")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_payments() -> int:
    """Find out what became of the payments that are due; tells how many."""
    return sweep_due_payments()

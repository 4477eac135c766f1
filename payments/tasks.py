"""Doorbells of payments: the due rows are the queue, a task only rings."""

from uuid import UUID

from celery import shared_task

from payments.reconciliation import reconcile_payment, sweep_due_payments
from payments.sandbox_provider import deliver_sandbox_webhooks
from payments.webhooks import handle_event, sweep_due_events


@shared_task(name="payments.reconcile_payment")  # type: ignore[untyped-decorator]  # Celery has no types
def reconcile_one_payment(payment_id: str) -> None:
    """Find out what became of one payment."""
    reconcile_payment(payment_id=UUID(payment_id))


@shared_task(name="payments.sweep_due_payments")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_payments() -> int:
    """Find out what became of the payments that are due; tells how many."""
    return sweep_due_payments()


@shared_task(name="payments.handle_provider_event")  # type: ignore[untyped-decorator]  # Celery has no types
def handle_provider_event(event_id: str) -> None:
    """Work off one webhook."""
    handle_event(event_id=UUID(event_id))


@shared_task(name="payments.sweep_due_events")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_provider_events() -> int:
    """Work off the webhooks that are due; tells how many."""
    return sweep_due_events()


@shared_task(name="payments.deliver_sandbox_webhooks")  # type: ignore[untyped-decorator]  # Celery has no types
def deliver_webhooks_of_sandbox() -> int:
    """Let the sandbox's provider tell us what happened there; tells how many messages."""
    return deliver_sandbox_webhooks()

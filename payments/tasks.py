"""Doorbells of payments: the due rows are the queue, a task only rings."""

from uuid import UUID

from celery import shared_task

from events.clock import times
from payments import auto_topups
from payments.closed_days import close_days, prove_days
from payments.floats import count_floats
from payments.hour_figures import roll_up_figures
from payments.reconciliation import reconcile_payment, sweep_due_payments
from payments.refund_execution import execute_due_refunds
from payments.refund_rechecks import recheck_due_refunds
from payments.sandbox_provider import deliver_sandbox_webhooks
from payments.sessions import expire_due_sessions
from payments.webhooks import handle_event, sweep_due_events

TOP_UP_BELL = "payments.attend_to_top_up"


@shared_task(name="payments.reconcile_payment")  # type: ignore[untyped-decorator]  # Celery has no types
def reconcile_one_payment(payment_id: str) -> None:
    """Find out what became of one payment."""
    reconcile_payment(payment_id=UUID(payment_id))


@shared_task(name="payments.sweep_due_payments")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_payments() -> int:
    """Find out what became of the payments that are due; tells how many."""
    return sum(sweep_due_payments(wallet_id=wallet_id) for wallet_id in times())


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


@shared_task(name=TOP_UP_BELL)  # type: ignore[untyped-decorator]  # Celery has no types
def attend_to_one_top_up(wallet_id: str) -> None:
    """Look after one wallet's rule of topping up."""
    auto_topups.attend(wallet_id=UUID(wallet_id))


@shared_task(name="payments.sweep_due_top_ups")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_top_ups() -> int:
    """Look after the rules that are due; tells how many."""
    return sum(auto_topups.sweep_due_top_ups(wallet_id=wallet_id) for wallet_id in times())


@shared_task(name="payments.sweep_overlooked_top_ups")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_overlooked() -> int:
    """Look after the rules that nobody rang for; tells how many."""
    return auto_topups.sweep_overlooked_top_ups()


@shared_task(name="payments.expire_due_sessions")  # type: ignore[untyped-decorator]  # Celery has no types
def expire_sessions() -> int:
    """Write down the payment sessions whose time is over; tells how many."""
    return sum(expire_due_sessions(wallet_id=wallet_id) for wallet_id in times())


@shared_task(name="payments.execute_refund")  # type: ignore[untyped-decorator]  # Celery has no types
def execute_one_refund(refund_id: str) -> int:
    """Execute one refund where it is due; tells whether it was."""
    return execute_due_refunds(refund_id=UUID(refund_id))


@shared_task(name="payments.sweep_due_refunds")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_refunds() -> int:
    """Execute the refunds that are due; tells how many."""
    return sum(execute_due_refunds(wallet_id=wallet_id) for wallet_id in times())


@shared_task(name="payments.recheck_refunds")  # type: ignore[untyped-decorator]  # Celery has no types
def recheck_refunds() -> int:
    """Ask about refunds that a bank may have sent back; tells how many."""
    return sum(recheck_due_refunds(wallet_id=wallet_id) for wallet_id in times())


@shared_task(name="payments.roll_up_figures")  # type: ignore[untyped-decorator]  # Celery has no types
def roll_up_hours() -> int:
    """Count the floats and close the hours that are over for the dashboard; tells how many hours were counted."""
    count_floats()
    return roll_up_figures()


@shared_task(name="payments.prove_days")  # type: ignore[untyped-decorator]  # Celery has no types
def close_and_prove_days() -> int:
    """Close the days that are over for the daily proof, and prove closed ones again; tells how many have changed."""
    close_days()
    return prove_days()

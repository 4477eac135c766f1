"""What staff have looked at once more: a charge whose end nobody saw, a provider's event that wasn't worked off.

Neither decides anything: the row is made due, and whoever takes it asks the provider, as the sweeps do.
"""

from typing import Final
from uuid import UUID

from django.db import transaction

from events import audit
from payments import reconciliation, webhooks
from payments.models import Payment, ProviderEvent
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.refusals import InvalidInput, NotFound
from users.principals import Principal
from users.standing import staff_member

MAY_INQUIRE: Final = "refund:request"
"""Who may ask for a charge to be given back may ask what became of it; auditors only read."""

ASK_PAYMENT: Final = "payments.reconcile_payment"
WORK_OFF_EVENT: Final = "payments.handle_provider_event"
"""The bells, rung with the row's id."""


def ask_about_payment(*, payment_id: UUID, principal: Principal, call: KeyedCall) -> Answer:
    """Have the processor asked now what became of a charge under way; `call.render` is given the Payment.

    Refuses with PermissionDenied, NotFound, and InvalidInput where the end is known already.
    """

    def effect() -> Answer:
        staff_member(principal=principal, permission=MAY_INQUIRE)
        payment = Payment.objects.select_for_update().filter(id=payment_id).first()
        if payment is None:
            raise NotFound("There is no such payment.")
        if not reconciliation.make_due(str(payment_id)):
            raise InvalidInput("What became of this charge is known.")
        audit.record(
            actor=principal.name,
            action="payment.asked_about",
            object_type="payment",
            object_id=payment_id,
            before={"checks": payment.checks},
        )
        return store(call, payment)

    return once(call, effect)


def work_off_again(*, event_id: UUID, principal: Principal, call: KeyedCall) -> Answer:
    """Take up a provider's event again that failed, or waits for its next try; `call.render` is given the ProviderEvent.

    Refuses with PermissionDenied, NotFound, and InvalidInput where it has been worked off.
    """

    def effect() -> Answer:
        staff_member(principal=principal, permission=MAY_INQUIRE)
        return store(call, _taken_up(event_id, actor=principal.name))

    return once(call, effect)


def work_off_again_by_command(*, event_id: UUID) -> None:
    """Take up a provider's event again from the machine's command line. Refuses as `work_off_again` does."""
    with transaction.atomic():
        _taken_up(event_id, actor="command")


def _taken_up(event_id: UUID, *, actor: str) -> ProviderEvent:
    event = ProviderEvent.objects.select_for_update().filter(id=event_id).first()
    if event is None:
        raise NotFound("There is no such event of a provider.")
    if not webhooks.make_due(str(event_id)):
        raise InvalidInput("This event has been worked off.")
    audit.record(
        actor=actor,
        action="provider_event.retried",
        object_type="provider_event",
        object_id=event_id,
        from_state=event.status,
        to_state=webhooks.RECEIVED,
        reason=event.failure,
    )
    return event

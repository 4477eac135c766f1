"""Charging a saved card into a wallet: open, call, settle. Funding, mobile payments and auto top-up share it.

The intent is committed, with the key that the processor gets, before the processor is called; the call holds no
transaction; what it answered is settled in another one. What isn't known stays pending until reconciliation,
which settles through the same code, has found it out. Whoever comes second sees what the first one settled.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction
from uuid_utils.compat import uuid7

from events import audit, context, outbox
from events.clock import now
from payments.answers import answer_of, balance_of, resource_of
from payments.models import Payment, PaymentKind, PaymentMethod, PaymentStatus
from payments.processors import calls
from payments.processors.contract import (
    ChargeBy,
    ChargeOutcome,
    ChargeRequest,
    Declined,
    Processor,
    RequiresAction,
    Source,
    Succeeded,
    Unknown,
)
from payments.processors.declines import declined
from payments.processors.registry import processor_in_use, processor_of
from payments.queries import amount_under_way, is_first_charge, shown
from payments.refusals import ProcessorFailed, ProcessorTimeout
from payments.steps import Step, reached
from tokens.models import PaymentToken
from tokens.outbound import card_for_charge, reference_for_charge
from tokens.queries import token_within
from tokens.refusals import TokenDeleted, VaultFailed
from tokens.vaults.contract import CardStaysInVault
from transactions import chart, ledger
from transactions.accounts import Account
from transactions.idempotency import Answer, KeyedCall, answer_key, free_key, once, open_key, replay
from transactions.models import LineType, PostingStatus, TransferKind
from transactions.money import Money
from transactions.movements import Entry, Movement
from transactions.queries import load_movement
from transactions.refusals import CurrencyMismatch, Refusal, Unavailable
from wallets.limits import require_room
from wallets.locks import LockedWallet, lock_wallet, lock_wallets

CALL_WITHIN_S = 15
"""How long after its opening a payment may still be sent to the processor, in seconds."""

CALL_LASTS_S = 45
"""How long a call to a processor may take at the most, in seconds; adapters keep to it."""

FIRST_CHECK_AFTER_S = 5
LAST_CHECK_AFTER_S = 3600
ACTION_CHECK_AFTER_S = 900

LOST = (DatabaseError, InterfaceError)
"""What the database raises, and what its driver does on a connection that has been closed: Django derives neither from the other."""

logger = structlog.get_logger()


def top_up(
    *,
    wallet_id: UUID,
    owner_id: UUID | None,
    amount: Money,
    token_id: UUID,
    kind: PaymentKind,
    actor: str,
    call: KeyedCall,
    description: str = "",
    request_path: str = "",
) -> Answer:
    """Charge a saved card and credit the wallet, once for the call's key; 201, 202 and 402 as `answer_of` tells.

    `amount` is positive minor units in the wallet's currency; `owner_id` must own the wallet, None may fund
    anybody's. Refuses as `open_payment` and `idempotency.once` do, and with ProcessorFailed, VaultFailed and
    TokenDeleted, after which nothing has been charged and the same key may be tried again.
    """
    opened: list[Payment] = []

    def effect() -> Answer:
        wallet = lock_wallet(wallet_id, owner_id=owner_id)
        token = token_within(token_id=token_id, owner_id=wallet.user_id)
        wallet.require_active()
        payment = open_payment(
            wallet=wallet,
            amount=amount,
            token=token,
            kind=kind,
            method=PaymentMethod(token.type),
            actor=actor,
            description=description,
            request_path=request_path,
        )
        open_key(call, resource=resource_of(payment.id))
        opened.append(payment)
        return answer_of(payment, balance=wallet.balance)

    answer = once(call, effect)
    if answer.replayed:
        return answer
    reached(Step.OPENED)
    return finish_payment(opened[0], opened=answer, call=call)


def open_payment(
    *,
    wallet: LockedWallet,
    amount: Money,
    token: PaymentToken | None,
    kind: PaymentKind,
    method: PaymentMethod,
    actor: str,
    description: str = "",
    request_path: str = "",
) -> Payment:
    """Write the payment and its pending movement, in the transaction under way that holds the wallet's lock.

    Refuses with InvalidInput what the processor can't represent, with CurrencyMismatch, and with LimitExceeded
    when all charges under way would overfill the wallet.
    """
    processor = processor_in_use()
    processor.require_amount(amount)
    if wallet.currency != amount.currency:
        raise CurrencyMismatch
    require_room(wallet, amount.amount + amount_under_way(wallet_id=wallet.id))
    payment_id = uuid7()
    movement = ledger.reserve(
        Movement(kind=TransferKind(kind.value), actor=actor, description=description, payment_id=payment_id),
        _entries(wallet, amount, kind, processor.name),
    )
    at = movement.created_at or now()
    payment = Payment(
        id=payment_id,
        wallet_id=wallet.id,
        user_id=wallet.user_id,
        token=token,
        kind=kind,
        method=method,
        amount=amount.amount,
        currency=amount.currency,
        processor=processor.name,
        processor_key=f"payment-{payment_id}",
        transaction_id=movement.line_of(wallet.id).id,
        transfer_id=movement.id,
        actor=actor,
        request_id=context.current().request_id,
        request_path=request_path,
        due_at=at + timedelta(seconds=CALL_WITHIN_S + CALL_LASTS_S),
        created_at=at,
    )
    payment.save(force_insert=True)
    return payment


def finish_payment(
    payment: Payment, *, opened: Answer, call: KeyedCall, source: Source | None = None
) -> Answer:
    """Charge an open payment and settle what came of it; `opened` is what it was answered while it was open.

    Never called inside a database transaction. Refuses as `charge` does; a charge that may have been made is
    always answered, though it be by 202.
    """
    outcome = charge(payment, source=source)
    reached(Step.CHARGE_ANSWERED)
    try:
        answer = settle_payment(payment_id=payment.id, outcome=outcome, actor=payment.actor)
    except (Unavailable, *LOST) as failure:
        # The card may have been charged: the answer must not be that nothing happened.
        logger.exception("payment_not_settled", payment_id=str(payment.id), outcome=type(outcome).__name__)
        answer = _left_pending(payment, opened, reason=type(failure).__name__)
    reached(Step.SETTLED)
    # Whoever answered the key first has decided what this call is answered, for ever.
    return (replay(call) or answer) if answer.replayed else answer


def charge(payment: Payment, *, source: Source | None = None) -> ChargeOutcome:
    """Call the processor for an open payment; without a `source` its saved card is taken out of the vault.

    Refuses with ProcessorFailed, VaultFailed and TokenDeleted; the payment has then failed, and its key is free.
    """
    processor = processor_of(payment.processor)
    try:
        if source is None:
            source = _revealed(payment, processor)
            reached(Step.SOURCE_REVEALED)
        if now() >= payment.created_at + timedelta(seconds=CALL_WITHIN_S):
            raise ProcessorTimeout
        request = ChargeRequest(
            key=payment.processor_key,
            amount=Money(payment.amount, payment.currency),
            source=source,
            is_off_session=payment.kind == PaymentKind.TOP_UP,
            is_first_charge=is_first_charge(payment),
            metadata={"payment_id": str(payment.id), "wallet_id": str(payment.wallet_id)},
        )
        return calls.charge(processor, request)
    except LookupError:
        logger.warning("card_missing_in_vault", payment_id=str(payment.id), token_id=str(payment.token_id))
        return declined("invalid_account")
    except (ProcessorFailed, VaultFailed, TokenDeleted) as failure:
        abandon_payment(payment_id=payment.id, failure=failure, actor=payment.actor)
        raise


def settle_payment(*, payment_id: UUID, outcome: ChargeOutcome, actor: str) -> Answer:
    """Bring a payment to what the processor says, and answer the key that waits for it. Idempotent.

    Credits the wallet only when the charge succeeded, whatever state the wallet is in by now; a success that
    comes after the payment was given up is credited by a movement of its own. The answer counts as replayed when
    no key was waiting for it. Refuses with Unavailable.
    """
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(id=payment_id)
        before = payment.status
        if _is_whole(payment, outcome):
            _apply(payment, outcome)
        elif payment.is_under_way:
            _postpone(payment)
        payment.save(update_fields=_CHANGING)
        _record(payment, before=before, actor=actor)
        answer = answer_of(payment, balance=balance_of(payment.wallet_id))
        stored = answer_key(resource=resource_of(payment.id), answer=answer)
    return answer if stored else replace(answer, replayed=True)


def abandon_payment(*, payment_id: UUID, failure: Refusal, actor: str) -> None:
    """Give up a payment that is known to have charged nothing, and free its key for the next attempt. Idempotent."""
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(id=payment_id)
        if not payment.is_under_way:
            return
        before = payment.status
        _fail(payment, failure_code=failure.code, reference=payment.processor_reference)
        payment.save(update_fields=_CHANGING)
        _record(payment, before=before, actor=actor)
        free_key(resource=resource_of(payment.id))


def may_still_appear(payment: Payment, *, at: datetime) -> bool:
    """Whether a charge that the processor doesn't know of may yet reach it."""
    late_for_s = CALL_WITHIN_S + CALL_LASTS_S + processor_of(payment.processor).late_for_s
    return at < payment.created_at + timedelta(seconds=late_for_s)


def _apply(payment: Payment, outcome: ChargeOutcome) -> None:
    if isinstance(outcome, Succeeded) and (payment.is_under_way or payment.status == PaymentStatus.FAILED):
        _credit(payment, outcome)
    elif not payment.is_under_way:
        return
    elif isinstance(outcome, Declined):
        payment.decline_code = outcome.decline_code
        payment.decline_class = outcome.retry
        _fail(payment, failure_code=outcome.decline_code, reference=outcome.reference)
    elif isinstance(outcome, RequiresAction):
        payment.status = PaymentStatus.REQUIRES_ACTION
        payment.processor_reference = outcome.reference
        payment.next_action = outcome.next_action
        payment.due_at = now() + timedelta(seconds=ACTION_CHECK_AFTER_S)
    else:
        _postpone(payment)


def _is_whole(payment: Payment, outcome: ChargeOutcome) -> bool:
    """Whether a success is one of the amount that was asked for; any other is for people to look at."""
    if not isinstance(outcome, Succeeded) or outcome.amount == Money(payment.amount, payment.currency):
        return True
    logger.error("charged_amount_differs", payment_id=str(payment.id), charged=str(outcome.amount))
    return False


def _credit(payment: Payment, outcome: Succeeded) -> None:
    accounts: dict[UUID, Account] = {**lock_wallets([payment.wallet_id])}
    wallet = accounts[payment.wallet_id]
    if payment.is_under_way:
        ledger.settle(_pending_movement(payment), accounts)
    else:
        kind = PaymentKind(payment.kind)
        movement = ledger.post(
            Movement(kind=TransferKind(kind.value), actor=payment.actor, payment_id=payment.id),
            _entries(wallet, outcome.amount, kind, payment.processor),
        )
        payment.transfer_id, payment.transaction_id = movement.id, movement.line_of(wallet.id).id
    payment.decline_code = payment.decline_class = payment.failure_code = ""
    _end(payment, PaymentStatus.SUCCEEDED, reference=outcome.reference)


def _fail(payment: Payment, *, failure_code: str, reference: str) -> None:
    # A pending credit holds nothing on the wallet, so that giving it up needs no lock but the payment's.
    ledger.release(_pending_movement(payment), {}, status=PostingStatus.FAILED, failure_code=failure_code)
    payment.failure_code = failure_code
    _end(payment, PaymentStatus.FAILED, reference=reference)


def _end(payment: Payment, status: PaymentStatus, *, reference: str) -> None:
    payment.status = status
    payment.processor_reference = reference
    payment.next_action = None
    payment.due_at = None
    payment.completed_at = now()


def _postpone(payment: Payment) -> None:
    wait_s = min(FIRST_CHECK_AFTER_S * 2 ** min(payment.checks, 12), LAST_CHECK_AFTER_S)
    payment.due_at = now() + timedelta(seconds=wait_s)


def _pending_movement(payment: Payment) -> Movement:
    movement = load_movement(payment.transfer_id)
    if movement is None:
        raise LookupError(f"payment {payment.id} has no transfer {payment.transfer_id}")
    return movement


def _entries(wallet: Account, amount: Money, kind: PaymentKind, processor: str) -> list[Entry]:
    line_type = LineType(kind.value)
    settlement = chart.settlement(processor=processor, currency=amount.currency)
    return [Entry(wallet, amount.amount, line_type), Entry(settlement, -amount.amount, line_type)]


def _revealed(payment: Payment, processor: Processor) -> Source:
    if payment.token is None:
        raise LookupError(f"payment {payment.id} has no saved card")
    reason = f"payment {payment.id}"
    if processor.charge_by(vault=payment.token.provider) is ChargeBy.REFERENCE:
        return reference_for_charge(token_id=payment.token.id, actor=payment.actor, reason=reason)
    try:
        return card_for_charge(token_id=payment.token.id, actor=payment.actor, reason=reason)
    except CardStaysInVault as kept:
        raise ProcessorFailed("The vault gives no card numbers to this processor.") from kept


def _left_pending(payment: Payment, opened: Answer, *, reason: str) -> Answer:
    """Answer 202, under the key if the database takes that much; reconciliation does the rest."""
    # A connection that was lost is no good for the second try either.
    connection.close_if_unusable_or_obsolete()
    try:
        return settle_payment(payment_id=payment.id, outcome=Unknown(reason=reason), actor=payment.actor)
    except (Unavailable, *LOST):
        logger.exception("payment_answer_not_stored", payment_id=str(payment.id))
        return opened


def _record(payment: Payment, *, before: str, actor: str) -> None:
    """Write the audit entries of a change of state, and the event of an end."""
    if payment.status == before:
        return
    audit.record(
        actor=actor,
        action="payment.status_changed",
        object_type="payment",
        object_id=payment.id,
        from_state=before,
        to_state=payment.status,
        reason=payment.failure_code,
    )
    if payment.is_under_way:
        return
    if before != PaymentStatus.FAILED:
        audit.record(
            actor=actor,
            action="transaction.status_changed",
            object_type="transaction",
            object_id=payment.transaction_id,
            from_state=PostingStatus.PENDING,
            to_state=_POSTED[payment.status],
            reason=payment.failure_code,
        )
    outbox.record(f"payment.{payment.status}", {**shown(payment), "user_id": payment.user_id})


_POSTED: Mapping[str, str] = {
    PaymentStatus.SUCCEEDED: PostingStatus.COMPLETED,
    PaymentStatus.FAILED: PostingStatus.FAILED,
}

_CHANGING = (
    "status",
    "decline_code",
    "decline_class",
    "failure_code",
    "next_action",
    "processor_reference",
    "transaction_id",
    "transfer_id",
    "due_at",
    "completed_at",
)

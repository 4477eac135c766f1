"""Paying by phone: what Apple Pay or Google Pay gave is verified, vaulted and charged, once for its session.

The session is used up, the phone's payment token is used up, the card's token and the payment are written in one
transaction; the charge then goes the way of all charges (`payments.topups`). Before that transaction nothing has
happened that isn't taken back; after it, the payment's own row is what a crash is healed from.
"""

from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError

from events.clock import now
from payments.answers import answer_of, resource_of
from payments.models import Payment, PaymentKind, PaymentMethod, PaymentSession, UsedPaymentToken
from payments.payment_methods import attach
from payments.processors.contract import ChargeBy, Source
from payments.processors.registry import processor_in_use
from payments.refusals import ProcessorFailed
from payments.schemes.contract import SessionFacts, VerifiedPayment
from payments.schemes.registry import scheme_of
from payments.schemes.replays import claim
from payments.sessions import consume, may_try_again, require_usable, session_within
from payments.steps import Step, reached
from payments.topups import finish_payment, open_payment
from tokens.models import DELETED, PaymentToken
from tokens.outbound import device_card_for_charge, kept_reference_for_charge
from tokens.providers.time_budgets import time_budget
from tokens.queries import token_within
from tokens.tokenization import discard_kept, keep_mobile, tokenize_mobile, write_kept
from tokens.vault_items import destroy_vault_item
from tokens.vaults.registry import vault_in_use
from transactions.idempotency import Answer, KeyedCall, once, open_key, replay
from transactions.money import Money
from transactions.refusals import Refusal
from wallets.locks import lock_wallet

LASTS_S = 18.0
"""What verifying, vaulting and charging may take altogether, in seconds: Apple's sheet fails after 30."""

logger = structlog.get_logger()


@time_budget(LASTS_S)
def pay_by_phone(
    *,
    session_id: UUID,
    owner_id: UUID | None,
    scheme: str,
    payment_data: dict[str, Any],
    is_saved: bool,
    actor: str,
    request_path: str,
    call: KeyedCall,
) -> Answer:
    """Charge what the phone gave for a session and credit its wallet; 201, 202 and 402 as `answer_of` tells.

    Owner, wallet, amount and currency are the session's. With `is_saved`, or where the customer agreed to automatic
    top-ups, the card stays as a payment method of the wallet; otherwise it is forgotten once the charge is answered.
    Refuses with NotFound, SessionConsumed, SessionExpired, the refusals of the scheme, of wallets and of
    `open_payment`, PaymentTokenUsed, and with ProcessorFailed and VaultFailed where nothing was charged: the same
    key may then be tried again while the session lasts.
    """
    first = replay(call)
    if first is not None:
        return first
    session = session_within(session_id=session_id, owner_id=owner_id, scheme=scheme)
    try:
        require_usable(session)
    except Refusal:
        # A racer under the same key may have used the session up since the key was looked for.
        first = replay(call)
        if first is None:
            raise
        return first
    charge_by = _charge_by()
    verified = scheme_of(scheme).verify(
        payment_data,
        session=SessionFacts(
            id=session.id, amount=Money(session.amount, session.currency), nonce=session.nonce
        ),
        now=now(),
        decrypt=vault_in_use().needs_decrypted,
    )
    stays = is_saved or session.reload_amount is not None
    earlier = _token_of_earlier_attempt(session)
    token = earlier or keep_mobile(owner_id=session.user_id, payload=verified.payload)
    reached(Step.CARD_KEPT)
    opened: list[Payment] = []

    def effect() -> Answer:
        locked = session_within(session_id=session_id, owner_id=owner_id, scheme=scheme, lock=True)
        require_usable(locked)
        if earlier is not None:
            token_within(token_id=earlier.id, owner_id=None, lock=True)
        wallet = lock_wallet(locked.wallet_id, owner_id=owner_id)
        wallet.require_active()
        _use_up(locked, verified)
        if earlier is None:
            write_kept(token, actor=actor, is_saved=stays)
        payment = open_payment(
            wallet=wallet,
            amount=Money(locked.amount, locked.currency),
            token=token,
            kind=PaymentKind.FUNDING,
            method=PaymentMethod(scheme),
            actor=actor,
            request_path=request_path,
        )
        consume(locked, payment, actor=actor)
        if stays:
            attach(wallet=wallet, token_id=token.id, actor=actor)
        open_key(call, resource=resource_of(payment.id))
        opened.append(payment)
        return answer_of(payment, balance=wallet.balance)

    is_opened = False
    try:
        answer = once(call, effect)
        is_opened = not answer.replayed
    finally:
        if not is_opened and earlier is None:
            discard_kept(token)
    if answer.replayed:
        return answer
    reached(Step.OPENED)
    try:
        source = _source(charge_by, token, verified, reason=f"payment {opened[0].id}", actor=actor)
        reached(Step.SOURCE_REVEALED)
        return finish_payment(opened[0], opened=answer, call=call, source=source)
    finally:
        if not stays:
            _forget(token)


def save_phone_card(
    *, owner_id: UUID, scheme: str, payment_data: dict[str, Any], actor: str, call: KeyedCall
) -> Answer:
    """Save the card of a customer's phone without a payment; `call.render` is given the PaymentToken.

    Refuses with NotFound (no such customer), the refusals of the scheme, PaymentTokenUsed and VaultFailed.
    """
    first = replay(call)
    if first is not None:
        return first
    verified = scheme_of(scheme).verify(
        payment_data, session=None, now=now(), decrypt=vault_in_use().needs_decrypted
    )

    def use_up() -> None:
        claim(scheme=verified.scheme, replay_key=verified.replay_key, used_for=owner_id, at=now())

    return tokenize_mobile(owner_id=owner_id, payload=verified.payload, actor=actor, call=call, claim=use_up)


def _charge_by() -> ChargeBy:
    """Tell what the processor in use needs of the vault in use. Refuses with ProcessorFailed what can't be had."""
    vault = vault_in_use()
    charge_by = processor_in_use().charge_by(vault=vault.name)
    if charge_by is ChargeBy.CARD and not vault.needs_decrypted:
        raise ProcessorFailed("The vault gives no card numbers to this processor.")
    return charge_by


def _use_up(session: PaymentSession, verified: VerifiedPayment) -> None:
    """Use the phone's payment token up for the session; its second attempt may come with the one it has used."""
    is_own = UsedPaymentToken.objects.filter(
        scheme=verified.scheme, replay_key=verified.replay_key, used_for=session.id
    )
    if may_try_again(session) and is_own.exists():
        return
    claim(scheme=verified.scheme, replay_key=verified.replay_key, used_for=session.id, at=now())


def _token_of_earlier_attempt(session: PaymentSession) -> PaymentToken | None:
    """Give the card that an attempt without a charge has saved already, so that none is saved twice."""
    token = session.payment.token if session.payment else None
    return token if token is not None and token.status != DELETED else None


def _forget(token: PaymentToken) -> None:
    """Destroy what the vault keeps of a card that doesn't stay; where that fails, the sweep does it."""
    try:
        destroy_vault_item(token=token)
    except DatabaseError:
        # Whatever was charged has been answered, and no failure here may change that.
        logger.exception("card_not_forgotten", token_id=str(token.id))


def _source(
    charge_by: ChargeBy, token: PaymentToken, verified: VerifiedPayment, *, actor: str, reason: str
) -> Source:
    if charge_by is ChargeBy.REFERENCE:
        return kept_reference_for_charge(token=token, actor=actor, reason=reason)
    if verified.device_card is None:
        raise LookupError(f"{reason}: the scheme decrypted nothing")
    return device_card_for_charge(token=token, card=verified.device_card, actor=actor, reason=reason)

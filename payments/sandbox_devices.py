"""Paying with the sandbox's own phones: what a customer's thumb does on a real one."""

from typing import Any
from uuid import UUID

from events.clock import now
from payments.models import PaymentSession
from payments.refusals import SchemeUnavailable
from payments.schemes import sandbox_authority, sandbox_phone
from payments.schemes.contract import SessionFacts
from payments.schemes.registry import APPLE_PAY, GOOGLE_PAY
from transactions.money import Money
from transactions.refusals import NotFound


def pay_by_iphone(*, session_id: UUID, card_number: str = sandbox_phone.DEFAULT_CARD) -> dict[str, Any]:
    """Give the payment token of an iPhone for an Apple Pay session, whoever's and however old it is.

    Refuses with NotFound, InvalidInput (field `card_number`), and SchemeUnavailable where a real root is configured.
    """
    if not sandbox_authority.trusts_apple_phones():
        raise SchemeUnavailable(
            "A root of Apple Pay is configured: the sandbox's phones are strangers to it."
        )
    session = _session(session_id, APPLE_PAY)
    facts = SessionFacts(id=session.id, amount=Money(session.amount, session.currency), nonce=session.nonce)
    at = now()
    card = sandbox_phone.card_in_phone(card_number, at=at)
    return sandbox_phone.apple_payment_data(session=facts, card=card, at=at)


def pay_by_android(*, session_id: UUID, card_number: str = sandbox_phone.DEFAULT_CARD) -> dict[str, Any]:
    """Give the PaymentData of an Android phone for a Google Pay session, whoever's and however old it is.

    Refuses with NotFound, InvalidInput (field `card_number`), and SchemeUnavailable where real root keys are
    configured.
    """
    if not sandbox_authority.trusts_google_phones():
        raise SchemeUnavailable(
            "Root keys of Google Pay are configured: the sandbox's phones are strangers to them."
        )
    _session(session_id, GOOGLE_PAY)
    at = now()
    return sandbox_phone.google_payment_data(card=sandbox_phone.card_in_phone(card_number, at=at), at=at)


def _session(session_id: UUID, scheme: str) -> PaymentSession:
    session = PaymentSession.objects.filter(id=session_id, scheme=scheme).first()
    if session is None:
        raise NotFound("There is no such payment session.", field="session_id")
    return session

"""Sessions of the payment tests, and what the sandbox's phones give for them."""

import json
from typing import Any
from uuid import UUID

from events.clock import now
from payments.mobile_payments import pay_by_phone
from payments.models import PaymentSession
from payments.schemes.contract import SessionFacts
from payments.schemes.sandbox_phone import apple_payment_data, card_in_phone, google_payment_data
from payments.sessions import Reload, open_session
from tests.payments.customers import SUCCEEDS, Customer
from transactions.idempotency import Answer
from transactions.money import Money

SCHEMES = ("apple_pay", "google_pay")


def new_session(
    customer: Customer, scheme: str = "apple_pay", *, amount: int = 2500, **facts: Any
) -> PaymentSession:
    """Open a session as the API does."""
    seen: list[PaymentSession] = []
    call = customer.call("")

    def render(session: PaymentSession) -> Answer:
        seen.append(session)
        return Answer(201, json.dumps({"session_id": str(session.id)}).encode())

    open_session(
        wallet_id=customer.wallet_id,
        owner_id=customer.user.id,
        scheme=scheme,
        amount=Money(amount, customer.currency),
        actor=customer.actor,
        call=type(call)(principal=call.principal, key="", fingerprint=b"", render=render),
        **facts,
    )
    return seen[0]


def given_by_phone(session: PaymentSession, number: str = SUCCEEDS) -> dict[str, Any]:
    """Confirm a session on its phone."""
    card = card_in_phone(number, at=now())
    if session.scheme == "google_pay":
        return google_payment_data(card=card, at=now())
    facts = SessionFacts(id=session.id, amount=Money(session.amount, session.currency), nonce=session.nonce)
    return apple_payment_data(session=facts, card=card, at=now())


def pay(
    customer: Customer,
    session: PaymentSession,
    *,
    number: str = SUCCEEDS,
    key: str = "",
    given: dict[str, Any] | None = None,
    session_id: UUID | None = None,
    is_saved: bool = False,
) -> Answer:
    """Pay a session with what its phone gives."""
    return pay_by_phone(
        session_id=session_id or session.id,
        owner_id=customer.user.id,
        scheme=session.scheme,
        payment_data=given or given_by_phone(session, number),
        is_saved=is_saved,
        actor=customer.actor,
        request_path=f"/api/v1/payment/{session.scheme.replace('_', '-')}/process",
        call=customer.call(key),
    )


def reloading(threshold: int = 500, amount: int = 2000) -> Reload:
    """An automatic top-up to agree to."""
    return Reload(threshold=threshold, amount=amount)

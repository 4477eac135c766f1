"""Paying by phone, by the use case: what each end leaves in every book, and what is refused before anything moves."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from events.clock import now
from events.models import AuditEntry
from payments import mobile_payments
from payments.models import PaymentSession, SavedMethod, SessionStatus, UsedPaymentToken
from payments.refusals import (
    PaymentTokenInvalid,
    PaymentTokenMismatch,
    PaymentTokenUsed,
    ProcessorUnavailable,
    SessionConsumed,
    SessionExpired,
)
from payments.sessions import cancel_session, session_within
from payments.steps import Step
from tests.payments.customers import DECLINED, TIMES_OUT, Customer, sweep_later, unkeyed
from tests.payments.phones import SCHEMES, given_by_phone, new_session, pay, reloading
from tests.payments.top_ups import give_rule
from tokens.models import PaymentToken, VaultedCard
from tokens.providers.time_budgets import ends_at
from tokens.sweeping import sweep_vault
from transactions.models import Transaction
from transactions.refusals import NotFound
from wallets.lifecycle import suspend_wallet
from wallets.refusals import WalletSuspended


def everything(customer: Customer) -> dict[str, Any]:
    """All books about the customer, the sessions, the cards and what was used up."""
    return {
        **customer.books(),
        "sessions": list(PaymentSession.objects.filter(user=customer.user).order_by("id").values()),
        "tokens": list(PaymentToken.objects.filter(user=customer.user).order_by("id").values()),
        "vaulted": VaultedCard.objects.count(),
        "used": UsedPaymentToken.objects.count(),
        "methods": list(SavedMethod.objects.filter(wallet_id=customer.wallet_id).values()),
    }


@pytest.mark.parametrize("scheme", SCHEMES)
def test_when_the_phone_pays_then_the_session_s_amount_is_credited_once(customer, scheme):
    session = new_session(customer, scheme)

    answer = pay(customer, session, key="pay-1")

    payment = customer.payments[0]
    line = Transaction.objects.get(account_id=customer.wallet_id)
    session.refresh_from_db()
    assert (answer.status, answer.replayed) == (201, False)
    assert json.loads(answer.body) == {
        "payment_id": str(payment.id),
        "transaction_id": str(line.id),
        "wallet_id": str(customer.wallet_id),
        "status": "succeeded",
        "amount": 2500,
        "currency": "USD",
        "token_id": str(payment.token_id),
        "new_balance": 2500,
        "next_action": None,
    }
    assert (payment.method, payment.kind, line.type) == (scheme, "funding", "funding")
    assert (session.status, session.payment_id) == ("consumed", payment.id)
    assert (customer.balance, customer.charged) == (2500, 2500)
    used = UsedPaymentToken.objects.get(used_for=session.id)
    assert (used.scheme, used.used_at >= session.created_at) == (scheme, True)


def test_when_the_first_call_uses_the_session_up_just_before_its_racer_looks_then_the_racer_gets_its_answer(
    customer, monkeypatch
):
    session, firsts = new_session(customer), []
    given = given_by_phone(session)

    def looked_up_too_late(**asked):
        monkeypatch.setattr(mobile_payments, "session_within", session_within)
        firsts.append(pay(customer, session, given=given, key="pay-1"))
        return session_within(**asked)

    monkeypatch.setattr(mobile_payments, "session_within", looked_up_too_late)
    answer = pay(customer, session, given=given, key="pay-1")

    assert (answer.status, answer.body, answer.replayed) == (201, firsts[0].body, True)
    assert (customer.balance, customer.charged) == (2500, 2500)


def test_when_the_session_changes_then_the_trail_says_by_whom(customer):
    session = new_session(customer)
    pay(customer, session)

    changes = AuditEntry.objects.filter(object_type="payment_session", object_id=str(session.id)).order_by(
        "id"
    )
    assert list(changes.values_list("from_state", "to_state", "actor")) == [
        ("", "open", customer.actor),
        ("open", "consumed", customer.actor),
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_when_the_card_isn_t_to_be_saved_then_nothing_of_it_stays_but_what_may_be_shown(customer, scheme):
    pay(customer, new_session(customer, scheme))

    token = PaymentToken.objects.get(user=customer.user)
    assert (token.type, token.brand, token.last4, token.status) == (scheme, "visa", "4242", "deleted")
    assert token.destroyed_at is not None
    assert not VaultedCard.objects.filter(id=token.id).exists()
    assert not SavedMethod.objects.filter(wallet_id=customer.wallet_id).exists()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_when_the_card_is_to_be_saved_then_it_is_the_wallet_s_and_can_be_charged_again(customer, scheme):
    pay(customer, new_session(customer, scheme), is_saved=True)

    token = PaymentToken.objects.get(user=customer.user)
    method = SavedMethod.objects.get(wallet_id=customer.wallet_id)
    assert (method.token_id, method.is_default, token.status) == (token.id, True, "active")
    assert token.consent_text.startswith("Open Wallet may keep this card")
    assert customer.top_up(token.id, 100).status == 201
    assert customer.balance == 2600


def test_when_an_automatic_top_up_is_agreed_to_then_the_card_stays_for_it(customer):
    session = new_session(customer, reload=reloading())

    pay(customer, session)

    assert SavedMethod.objects.get(wallet_id=customer.wallet_id).token.status == "active"


def test_when_the_wallet_tops_itself_up_then_its_sessions_ask_for_that(customer):
    give_rule(customer, threshold=700, amount=3000)

    session = new_session(customer)

    assert (session.reload_threshold, session.reload_amount) == (700, 3000)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_when_the_card_is_declined_then_no_money_moves_and_the_session_is_used_up(customer, scheme):
    session = new_session(customer, scheme)

    answer = pay(customer, session, number=DECLINED, key="pay-1")

    problem = json.loads(answer.body)
    assert (answer.status, problem["code"], problem["decline_code"]) == (
        402,
        "payment_declined",
        "generic_decline",
    )
    assert (customer.balance, customer.charged) == (0, 0)
    before = everything(customer)
    with pytest.raises(SessionConsumed):
        pay(customer, session, key="pay-2")
    assert everything(customer) == before
    assert pay(customer, session, number=DECLINED, key="pay-1").body == answer.body


def test_when_the_bank_doesn_t_answer_then_202_and_the_sweep_finds_the_money(customer):
    session = new_session(customer)

    answer = pay(customer, session, number=TIMES_OUT, key="pay-1")

    assert (answer.status, json.loads(answer.body)["status"]) == (202, "pending")
    assert (customer.balance, customer.charged) == (0, 2500)
    sweep_later(6)
    assert (customer.balance, customer.charged) == (2500, 2500)


def test_when_the_call_is_repeated_then_the_first_answer_comes_back_and_no_card_is_kept_twice(customer):
    session = new_session(customer)
    given = given_by_phone(session)
    first = pay(customer, session, given=given, key="pay-1")
    before = everything(customer)

    again = pay(customer, session, given=given, key="pay-1")

    assert (again.status, again.body, again.replayed) == (first.status, first.body, True)
    assert everything(customer) == before


def test_when_the_session_has_paid_then_another_key_gets_nothing_from_it(customer):
    session = new_session(customer)
    pay(customer, session, key="pay-1")
    before = everything(customer)

    with pytest.raises(SessionConsumed):
        pay(customer, session, key="pay-2")

    assert everything(customer) == before


@pytest.mark.parametrize("scheme", SCHEMES)
def test_when_a_phone_s_token_has_paid_then_it_pays_for_no_other_session(customer, scheme):
    first = new_session(customer, scheme)
    given = given_by_phone(first)
    pay(customer, first, given=given)
    second = new_session(customer, scheme)
    before = everything(customer)

    # Apple's token names its session; Google's names none, and is known by its message alone.
    with pytest.raises(PaymentTokenMismatch if scheme == "apple_pay" else PaymentTokenUsed):
        pay(customer, second, given=given)

    assert everything(customer) == before


def expired(session: PaymentSession, customer: Customer, monkeypatch: Any) -> None:
    monkeypatch.setattr("payments.sessions.now_of", lambda _wallet: now() + timedelta(minutes=15))


def cancelled(session: PaymentSession, customer: Customer, monkeypatch: Any) -> None:
    cancel_session(session_id=session.id, owner_id=customer.user.id, actor=customer.actor, call=unkeyed())


def suspended(session: PaymentSession, customer: Customer, monkeypatch: Any) -> None:
    suspend_wallet(wallet_id=customer.wallet_id, actor="support:test", reason="looked at", call=unkeyed())


@pytest.mark.parametrize(
    ("happens", "refusal"),
    [(expired, SessionExpired), (cancelled, SessionConsumed), (suspended, WalletSuspended)],
)
def test_when_the_session_may_not_pay_any_more_then_nothing_moves(customer, monkeypatch, happens, refusal):
    session = new_session(customer)
    given = given_by_phone(session)
    happens(session, customer, monkeypatch)
    before = everything(customer)

    with pytest.raises(refusal):
        pay(customer, session, given=given, key="pay-1")

    assert everything(customer) == before


def test_when_the_token_is_forged_then_nothing_moves_and_the_session_stays_open(customer):
    session = new_session(customer)
    given = given_by_phone(session)
    given["paymentData"]["data"] = given["paymentData"]["data"][:-8] + "AAAAAAA="
    before = everything(customer)

    with pytest.raises(PaymentTokenInvalid):
        pay(customer, session, given=given)

    assert everything(customer) == before
    assert pay(customer, session).status == 201


def test_when_the_session_is_somebody_else_s_or_of_another_scheme_then_there_is_none(customer):
    other = Customer.with_wallet("USD")
    session, googles = new_session(other), new_session(customer, "google_pay")
    before = everything(customer), everything(other)

    with pytest.raises(NotFound):
        pay(customer, session)
    with pytest.raises(NotFound):
        pay(customer, new_session(customer), session_id=googles.id)

    assert everything(other) == before[1]
    assert customer.books() == {name: before[0][name] for name in customer.books()}


def test_when_the_processor_took_nothing_then_the_same_token_and_key_pay_after_all(customer, monkeypatch):
    session = new_session(customer)
    given = given_by_phone(session)
    path = "payments.processors.sandbox.SandboxProcessor.charge"
    with monkeypatch.context() as broken:
        broken.setattr(path, lambda _self, _request: (_ for _ in ()).throw(ProcessorUnavailable()))
        with pytest.raises(ProcessorUnavailable):
            pay(customer, session, given=given, key="pay-1", is_saved=True)
    assert (customer.balance, customer.charged) == (0, 0)

    answer = pay(customer, session, given=given, key="pay-1", is_saved=True)

    session.refresh_from_db()
    assert (answer.status, answer.replayed) == (201, False)
    assert [payment.status for payment in customer.payments] == ["failed", "succeeded"]
    assert session.payment_id == customer.payments[1].id
    assert PaymentToken.objects.filter(user=customer.user).count() == 1
    assert SavedMethod.objects.filter(wallet_id=customer.wallet_id).count() == 1
    assert (customer.balance, customer.charged) == (2500, 2500)


def test_when_the_processor_took_nothing_then_the_session_still_ends_in_time(customer, monkeypatch):
    session = new_session(customer)
    with monkeypatch.context() as broken:
        broken.setattr(
            "payments.processors.sandbox.SandboxProcessor.charge",
            lambda _self, _request: (_ for _ in ()).throw(ProcessorUnavailable()),
        )
        with pytest.raises(ProcessorUnavailable):
            pay(customer, session, key="pay-1")
    given = given_by_phone(session)
    expired(session, customer, monkeypatch)

    with pytest.raises(SessionExpired):
        pay(customer, session, given=given, key="pay-1")

    assert (customer.balance, customer.charged) == (0, 0)


def test_when_the_processor_is_asked_then_its_time_is_bounded(customer, monkeypatch):
    seen: list[float] = []

    def remember(_self: Any, request: Any) -> Any:
        seen.append(ends_at())
        raise ProcessorUnavailable

    monkeypatch.setattr("payments.processors.sandbox.SandboxProcessor.charge", remember)
    began = time.monotonic()
    with pytest.raises(ProcessorUnavailable):
        pay(customer, new_session(customer))

    assert began + 17 < seen[0] < began + 25


def test_when_a_card_waits_for_its_charge_then_the_sweep_leaves_it_alone(customer, listeners):
    kept: list[bool] = []

    def sweep(step: Step) -> None:
        if step is Step.OPENED:
            sweep_vault(limit=1000)
            kept.append(
                VaultedCard.objects.filter(id=PaymentToken.objects.get(user=customer.user).id).exists()
            )

    listeners.append(sweep)

    pay(customer, new_session(customer))

    assert kept == [True]


def test_when_eight_calls_race_for_one_session_then_one_pays(customer):
    session = new_session(customer)
    given = [given_by_phone(session) for _ in range(8)]
    start = Barrier(8)

    def race(racer: int) -> int:
        try:
            start.wait(timeout=10)
            return pay(customer, session, given=given[racer], key=f"pay-{racer}").status
        except SessionConsumed:
            return 409
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as racers:
        ended = sorted(racers.map(race, range(8)))

    assert ended == [201] + [409] * 7
    assert (len(customer.payments), customer.balance, customer.charged) == (1, 2500, 2500)
    # Seven cards were kept for nothing, and are gone again.
    tokens = PaymentToken.objects.filter(user=customer.user).values_list("id", flat=True)
    assert not VaultedCard.objects.filter(id__in=list(tokens)).exists()
    assert PaymentSession.objects.get(id=session.id).status == SessionStatus.CONSUMED

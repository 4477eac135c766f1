"""Charging a saved card into a wallet, by the use case: what each outcome leaves in every book."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from events.models import AuditEntry, OutboxEntry
from payments.models import Payment, SandboxCharge
from payments.processors.calls import CalledInsideTransaction
from payments.processors.contract import NotFound, RequiresAction, Succeeded, Unknown
from payments.processors.declines import declined
from payments.refusals import ProcessorFailed, ProcessorTimeout, ProcessorUnavailable
from payments.steps import Step
from payments.topups import abandon_payment, charge, settle_payment
from tests.payments.customers import (
    DECLINED,
    FAILS_WHEN_CHARGED,
    NOT_COVERED,
    TIMES_OUT,
    Customer,
    sweep_later,
    unkeyed,
)
from tokens.refusals import TokenDeleted
from tokens.tokenization import delete_token
from transactions.models import Transaction
from transactions.money import Money
from transactions.refusals import CurrencyMismatch, LimitExceeded
from transactions.refusals import NotFound as NoSuchObject
from wallets.lifecycle import suspend_wallet
from wallets.limits import set_limits
from wallets.refusals import WalletSuspended

NO_LIMITS = {
    "maximum_balance": None,
    "per_transaction": None,
    "daily_outflow": None,
    "monthly_outflow": None,
    "credit": None,
}


def test_when_the_charge_succeeds_then_the_wallet_is_credited_with_it(customer):
    token = customer.card()

    answer = customer.top_up(token.id, 2500, key="fund-1")

    payment = Payment.objects.get(wallet_id=customer.wallet_id)
    line = Transaction.objects.get(account_id=customer.wallet_id)
    assert answer.status == 201
    assert answer.replayed is False
    assert json.loads(answer.body) == {
        "payment_id": str(payment.id),
        "transaction_id": str(line.id),
        "wallet_id": str(customer.wallet_id),
        "status": "succeeded",
        "amount": 2500,
        "currency": "USD",
        "token_id": str(token.id),
        "new_balance": 2500,
        "next_action": None,
    }
    assert (line.type, line.status, line.amount, line.seq, line.balance_after) == (
        "funding",
        "completed",
        2500,
        1,
        2500,
    )
    assert (payment.status, payment.method, payment.kind) == ("succeeded", "card", "funding")
    assert (payment.due_at, payment.transfer_id) == (None, line.transfer_id)
    assert payment.processor_reference == str(SandboxCharge.objects.get(key=payment.processor_key).id)
    assert (customer.balance, customer.charged) == (2500, 2500)


def test_when_the_charge_succeeds_then_the_trail_and_the_outbox_tell_it(customer):
    customer.top_up(customer.card().id, 2500)

    payment = customer.payments[0]
    changes = AuditEntry.objects.filter(object_id__in=[str(payment.id), str(payment.transaction_id)])
    assert sorted(changes.values_list("object_type", "from_state", "to_state", "actor")) == [
        ("payment", "pending", "succeeded", customer.actor),
        ("transaction", "pending", "completed", customer.actor),
    ]
    event = OutboxEntry.objects.get(kind="payment.succeeded", payload__id=str(payment.id))
    assert event.payload["amount"] == 2500
    assert event.payload["user_id"] == str(customer.user.id)
    assert event.payload["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("number", "code", "retry"),
    [
        (DECLINED, "generic_decline", "ask_customer"),
        (NOT_COVERED, "insufficient_funds", "later"),
        (FAILS_WHEN_CHARGED, "generic_decline", "ask_customer"),
    ],
)
def test_when_the_card_is_declined_then_no_money_moves_and_the_answer_says_why(customer, number, code, retry):
    answer = customer.top_up(customer.card(number).id, 2500, key="fund-1")

    payment = customer.payments[0]
    problem = json.loads(answer.body)
    assert answer.status == 402
    assert (problem["code"], problem["status"], problem["decline_code"]) == ("payment_declined", 402, code)
    assert problem["instance"] == f"/api/v1/wallet/{customer.wallet_id}/fund"
    assert problem["payment_id"] == str(payment.id)
    assert (payment.status, payment.decline_code, payment.decline_class) == ("failed", code, retry)
    line = Transaction.objects.get(account_id=customer.wallet_id)
    assert (line.status, line.seq, line.transfer.failure_code) == ("failed", None, code)
    assert (customer.balance, customer.charged) == (0, 0)


@pytest.mark.parametrize("number", [DECLINED, TIMES_OUT, "4242424242424242"])
def test_when_the_call_is_repeated_then_the_first_answer_comes_back_byte_for_byte(customer, number):
    token = customer.card(number)
    first = customer.top_up(token.id, 2500, key="fund-1")

    again = customer.top_up(token.id, 2500, key="fund-1")

    assert (again.status, again.body, again.replayed) == (first.status, first.body, True)
    assert len(customer.payments) == 1


def test_when_the_outcome_is_unknown_then_it_stays_pending_until_the_sweep_finds_the_charge(customer):
    answer = customer.top_up(customer.card(TIMES_OUT).id, 2500, key="fund-1")

    unknown = customer.payments[0]
    assert (answer.status, json.loads(answer.body)["status"]) == (202, "pending")
    assert json.loads(answer.body)["new_balance"] == 0
    assert (unknown.status, customer.balance, customer.charged) == ("pending", 0, 2500)

    sweep_later(6)

    found = customer.payments[0]
    assert (found.status, found.checks, customer.balance, customer.charged) == ("succeeded", 1, 2500, 2500)
    sweep_later()
    assert customer.balance == 2500
    assert customer.top_up(found.token_id, 2500, key="fund-1").body == answer.body


def test_when_a_stolen_card_is_declined_then_its_holder_is_not_told(customer):
    customer.top_up(customer.card(TIMES_OUT).id, 2500, key="fund-1")
    payment = customer.payments[0]

    answer = settle_payment(payment_id=payment.id, outcome=declined("stolen_card"), actor="system:test")

    assert json.loads(answer.body)["decline_code"] == "generic_decline"
    assert (customer.payments[0].decline_code, customer.payments[0].decline_class) == ("stolen_card", "never")


def test_when_the_wallet_is_suspended_meanwhile_then_the_money_that_arrived_is_credited(customer, listeners):
    token = customer.card()

    def suspend(step: Step) -> None:
        if step is Step.CHARGE_ANSWERED:
            suspend_wallet(
                wallet_id=customer.wallet_id, actor="support:test", reason="looked at", call=unkeyed()
            )

    listeners.append(suspend)

    answer = customer.top_up(token.id, 2500)

    assert (answer.status, json.loads(answer.body)["new_balance"]) == (201, 2500)
    assert (customer.balance, customer.charged) == (2500, 2500)


def refused_by_suspension(customer: Customer) -> None:
    suspend_wallet(wallet_id=customer.wallet_id, actor="support:test", reason="looked at", call=unkeyed())


def refused_by_limit(customer: Customer) -> None:
    limits = {**NO_LIMITS, "maximum_balance": 2499}
    set_limits(wallet_id=customer.wallet_id, actor="service:test", call=unkeyed(), **limits)


@pytest.mark.parametrize(
    ("prepare", "refusal"),
    [(refused_by_suspension, WalletSuspended), (refused_by_limit, LimitExceeded)],
    ids=["suspended", "full"],
)
def test_when_the_wallet_may_not_take_it_then_nothing_is_charged_and_nothing_moves(
    customer, prepare, refusal
):
    token = customer.card()
    prepare(customer)
    before = customer.books()

    with pytest.raises(refusal):
        customer.top_up(token.id, 2500, key="fund-1")

    assert customer.books() == before


def test_when_charges_under_way_would_overfill_the_wallet_then_the_next_is_refused(customer):
    limits = {**NO_LIMITS, "maximum_balance": 4999}
    set_limits(wallet_id=customer.wallet_id, actor="service:test", call=unkeyed(), **limits)
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    token = customer.card()
    before = customer.books()

    with pytest.raises(LimitExceeded):
        customer.top_up(token.id, 2500)

    assert customer.books() == before


def test_when_the_currency_is_another_then_nothing_moves(customer):
    token = customer.card()
    before = customer.books()
    customer.currency = "EUR"

    with pytest.raises(CurrencyMismatch):
        customer.top_up(token.id, 2500)

    assert customer.books() == before


def test_when_the_card_is_somebody_elses_then_there_is_no_such_token_and_nothing_moves(customer):
    other = Customer.with_wallet("USD")
    before = customer.books(), other.books()

    with pytest.raises(NoSuchObject):
        customer.top_up(other.card().id, 2500)

    assert (customer.books(), other.books()) == before


def test_when_the_wallet_is_somebody_elses_then_it_is_not_found_and_nothing_moves(customer):
    other = Customer.with_wallet("USD")
    before = other.books()
    intruder = Customer(user=customer.user, wallet_id=other.wallet_id, currency="USD")

    with pytest.raises(NoSuchObject):
        intruder.top_up(customer.card().id, 2500)

    assert other.books() == before


def test_when_the_card_is_deleted_meanwhile_then_nothing_is_charged_and_the_key_is_free(customer, listeners):
    token = customer.card()

    def forget(step: Step) -> None:
        if step is Step.OPENED:
            delete_token(token_id=token.id, owner_id=None, actor=customer.actor, call=unkeyed())

    listeners.append(forget)

    with pytest.raises(TokenDeleted):
        customer.top_up(token.id, 2500, key="fund-1")

    assert (customer.payments[0].status, customer.payments[0].failure_code) == ("failed", "token_deleted")
    assert (customer.balance, customer.charged) == (0, 0)
    listeners.clear()
    assert customer.top_up(customer.card().id, 2500, key="fund-1").status == 201


@pytest.mark.parametrize("failure", [ProcessorFailed, ProcessorUnavailable, ProcessorTimeout])
def test_when_the_processor_took_nothing_then_the_same_key_may_be_tried_again(customer, monkeypatch, failure):
    token = customer.card()
    path = "payments.processors.sandbox.SandboxProcessor.charge"
    with monkeypatch.context() as broken:
        broken.setattr(path, lambda _self, _request: (_ for _ in ()).throw(failure()))
        with pytest.raises(failure):
            customer.top_up(token.id, 2500, key="fund-1")
    assert (customer.payments[0].status, customer.balance, customer.charged) == ("failed", 0, 0)

    answer = customer.top_up(token.id, 2500, key="fund-1")

    assert (answer.status, answer.replayed) == (201, False)
    assert [payment.status for payment in customer.payments] == ["failed", "succeeded"]
    assert (customer.balance, customer.charged) == (2500, 2500)


def test_when_an_adapter_breaks_after_charging_then_the_outcome_is_unknown_and_the_money_is_found(
    customer, monkeypatch
):
    from payments.processors.sandbox import SandboxProcessor

    token = customer.card()
    real = SandboxProcessor.charge

    def charge_and_break(self, request):
        real(self, request)
        raise ZeroDivisionError

    monkeypatch.setattr(SandboxProcessor, "charge", charge_and_break)

    answer = customer.top_up(token.id, 2500, key="fund-1")

    assert (answer.status, customer.balance, customer.charged) == (202, 0, 2500)
    sweep_later(6)
    assert (customer.payments[0].status, customer.balance) == ("succeeded", 2500)


def test_when_the_wallet_is_locked_after_the_charge_then_the_answer_is_pending_and_the_sweep_credits(
    customer, listeners
):
    token = customer.card()
    parts = settings.DATABASES["default"]
    blocker = psycopg.connect(
        host=parts["HOST"],
        port=parts["PORT"],
        user=parts["USER"],
        password=parts["PASSWORD"],
        dbname=parts["NAME"],
    )

    def block(step: Step) -> None:
        if step is Step.CHARGE_ANSWERED:
            blocker.execute("SELECT 1 FROM wallets_wallet WHERE id = %s FOR UPDATE", [customer.wallet_id])
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'")

    listeners.append(block)

    with blocker:
        answer = customer.top_up(token.id, 2500, key="fund-1")

    assert (answer.status, customer.balance, customer.charged) == (202, 0, 2500)
    sweep_later(6)
    assert (customer.balance, customer.charged) == (2500, 2500)
    assert customer.top_up(token.id, 2500, key="fund-1").body == answer.body


def test_when_a_success_comes_after_the_payment_was_given_up_then_it_is_credited_once(customer):
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    payment = customer.payments[0]
    abandon_payment(payment_id=payment.id, failure=ProcessorTimeout(), actor="system:test")
    late = Succeeded(reference="late-1", amount=Money(2500, "USD"))

    settle_payment(payment_id=payment.id, outcome=late, actor="system:test")
    settle_payment(payment_id=payment.id, outcome=late, actor="system:test")

    settled = customer.payments[0]
    lines = Transaction.objects.filter(account_id=customer.wallet_id).order_by("id")
    assert (settled.status, settled.processor_reference, settled.failure_code) == ("succeeded", "late-1", "")
    assert [(line.status, line.amount) for line in lines] == [("failed", 2500), ("completed", 2500)]
    assert settled.transaction_id == lines[1].id
    assert customer.balance == 2500


def test_when_another_amount_was_charged_then_nothing_is_credited_and_the_payment_stays_open(customer):
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    payment = customer.payments[0]

    settle_payment(
        payment_id=payment.id,
        outcome=Succeeded(reference="odd", amount=Money(2600, "USD")),
        actor="system:test",
    )

    assert (customer.payments[0].status, customer.balance) == ("pending", 0)


def test_when_the_customer_must_act_then_the_payment_waits_with_the_next_action_and_can_succeed(customer):
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    payment = customer.payments[0]
    step_up = RequiresAction(reference="pi_1", next_action={"type": "redirect"})

    waiting = settle_payment(payment_id=payment.id, outcome=step_up, actor="system:test")

    assert (waiting.status, json.loads(waiting.body)["next_action"]) == (201, {"type": "redirect"})
    assert (customer.payments[0].status, customer.balance) == ("requires_action", 0)
    settle_payment(
        payment_id=payment.id,
        outcome=Succeeded(reference="pi_1", amount=Money(2500, "USD")),
        actor="system:test",
    )
    assert (customer.payments[0].status, customer.payments[0].next_action) == ("succeeded", None)
    assert customer.balance == 2500


def test_when_outcomes_come_after_the_end_then_they_change_nothing(customer):
    customer.top_up(customer.card().id, 2500)
    payment = customer.payments[0]
    before = customer.books()

    for outcome in (declined("generic_decline"), Unknown("late"), RequiresAction("x", {})):
        settle_payment(payment_id=payment.id, outcome=outcome, actor="system:test")
    abandon_payment(payment_id=payment.id, failure=ProcessorTimeout(), actor="system:test")

    assert customer.books() == before


def test_when_a_charge_is_not_found_while_it_may_still_appear_then_the_payment_waits(customer, monkeypatch):
    customer.top_up(customer.card(TIMES_OUT).id, 2500, key="fund-1")
    monkeypatch.setattr(
        "payments.processors.sandbox.SandboxProcessor.find_charge", lambda _self, key, reference: NotFound()
    )

    sweep_later(6)
    waiting = customer.payments[0].status
    sweep_later(120)

    assert waiting == "pending"
    assert (customer.payments[0].status, customer.payments[0].failure_code) == ("failed", "provider_timeout")
    assert customer.balance == 0


def test_when_one_payment_can_not_be_reconciled_then_the_others_are(customer, monkeypatch):
    from payments import reconciliation

    token = customer.card(TIMES_OUT)
    customer.top_up(token.id, 100)
    customer.top_up(token.id, 200)
    broken = customer.payments[0].id
    real = reconciliation.settle_payment

    def settle(*, payment_id, **how):
        if payment_id == broken:
            raise ZeroDivisionError
        return real(payment_id=payment_id, **how)

    monkeypatch.setattr(reconciliation, "settle_payment", settle)

    sweep_later(6)

    assert [payment.status for payment in customer.payments] == ["pending", "succeeded"]
    assert customer.balance == 200


def test_when_eight_calls_race_with_one_key_then_one_charge_is_made_and_all_get_its_answer(customer):
    token = customer.card()
    start = Barrier(8)

    def race(_racer: int) -> tuple[int, bytes, bool]:
        try:
            start.wait(timeout=10)
            answer = customer.top_up(token.id, 2500, key="fund-1")
            return answer.status, answer.body, answer.replayed
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as racers:
        answers = list(racers.map(race, range(8)))

    assert len({(status, body) for status, body, _ in answers}) == 1
    assert sorted(replayed for _, _, replayed in answers) == [False] + [True] * 7
    assert (len(customer.payments), customer.balance, customer.charged) == (1, 2500, 2500)


def test_when_settlements_of_one_payment_race_then_it_is_credited_once(customer):
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    payment_id = customer.payments[0].id
    start = Barrier(4)
    outcome = Succeeded(reference=f"race-{payment_id}", amount=Money(2500, "USD"))

    def race(_racer: int) -> None:
        try:
            start.wait(timeout=10)
            settle_payment(payment_id=payment_id, outcome=outcome, actor="system:test")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as racers:
        list(racers.map(race, range(4)))

    assert customer.balance == 2500
    assert Transaction.objects.filter(account_id=customer.wallet_id).count() == 1


def test_when_a_second_automatic_top_up_is_opened_then_the_table_says_no(customer):
    from django.db import IntegrityError

    token = customer.card(TIMES_OUT)
    customer.top_up(token.id, 2500, kind="top_up")
    before = customer.books()

    with pytest.raises(IntegrityError, match="payment_one_open_top_up_by_wallet"):
        customer.top_up(token.id, 2500, kind="top_up")

    assert customer.books() == before


def test_when_the_card_would_be_charged_inside_a_transaction_then_it_is_refused_and_nothing_is_charged(
    customer,
):
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    payment = customer.payments[0]

    with pytest.raises(CalledInsideTransaction), transaction.atomic():
        charge(payment)

    assert customer.charged == 2500


@pytest.mark.parametrize("is_killed", [True, False], ids=["by the server", "in the process"])
def test_when_the_connection_is_lost_after_the_charge_then_the_call_is_not_answered_as_if_nothing_happened(
    customer, listeners, is_killed
):
    token = customer.card()

    def lose_connection(step: Step) -> None:
        if step is not Step.CHARGE_ANSWERED:
            return
        if is_killed:
            # Another connection of the same role: ending a stranger's would need more rights.
            with closing(connection.copy()) as beside, beside.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid]
                )
        else:
            connection.connection.close()

    listeners.append(lose_connection)
    answer = customer.top_up(token.id, 2500, key="fund-1")
    listeners.clear()
    again = customer.top_up(token.id, 2500, key="fund-1")
    sweep_later()

    assert (answer.status, customer.charged) == (202, 2500)
    assert (again.status, again.body, again.replayed) == (202, answer.body, True)
    assert customer.balance == 2500

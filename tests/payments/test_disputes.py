"""A disputed charge takes its money out of the wallet, spent or not, and gives it back when it is won."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from uuid_utils.compat import uuid7

from events.clock import now
from events.models import AuditEntry, OutboxEntry
from payments.disputes import NotYet, apply_dispute, state_of
from payments.models import Dispute, Payment, ProviderEvent, SandboxDispute
from payments.processors.contract import DisputeFacts, DisputeStage
from payments.sandbox_provider import decide_sandbox_dispute, deliver_sandbox_webhooks
from payments.webhooks import sweep_due_events
from tests.payments.customers import IS_DISPUTED, SUCCEEDS, TIMES_OUT, Customer, sweep_later, unkeyed
from transactions.models import LedgerAccount, Transaction
from transactions.money import Money
from wallets.lifecycle import reactivate_wallet
from wallets.models import Wallet
from wallets.transfers import pay


def facts_of(payment: Payment, **changes: Any) -> DisputeFacts:
    whole = Money(payment.amount, payment.currency)
    open_now = DisputeFacts(
        reference=f"dp_{payment.id}",
        charge_reference=payment.processor_reference,
        amount=whole,
        withdrawn=whole,
        stage=DisputeStage.OPEN,
        reason="fraudulent",
    )
    return replace(open_now, **changes)


def follow(payment: Payment, facts: DisputeFacts) -> None:
    seen = state_of(processor=payment.processor, reference=facts.reference)
    apply_dispute(payment_id=payment.id, facts=facts, seen=seen, actor="system:test")


def spend(customer: Customer, amount: int) -> None:
    pay(
        wallet_id=customer.wallet_id,
        owner_id=customer.user.id,
        amount=Money(amount, customer.currency),
        actor=customer.actor,
        call=unkeyed(customer.actor),
    )


def funded(customer: Customer, amount: int = 2500) -> Payment:
    customer.top_up(customer.card(SUCCEEDS).id, amount)
    return customer.payments[-1]


def account_of(customer: Customer) -> LedgerAccount:
    return LedgerAccount.objects.get(id=customer.wallet_id)


def status_of(customer: Customer) -> str:
    return Wallet.objects.get(pk=customer.wallet_id).status


def dispute_lines(customer: Customer) -> list[int]:
    lines = Transaction.objects.filter(account_id=customer.wallet_id, type="dispute").order_by("seq")
    return list(lines.values_list("amount", flat=True))


def test_when_a_charge_is_disputed_then_its_money_leaves_the_wallet_and_the_payment_says_so(customer):
    payment = funded(customer)

    follow(payment, facts_of(payment))

    account = account_of(customer)
    assert (account.balance, account.floor, account.receivable) == (0, 0, 0)
    assert (customer.payments[0].status, status_of(customer)) == ("disputed", "active")
    assert dispute_lines(customer) == [-2500]
    told = OutboxEntry.objects.filter(kind="payment.disputed", payload__id=str(payment.id)).get().payload
    assert (told["status"], told["dispute"]["withdrawn"]) == ("disputed", 2500)
    assert AuditEntry.objects.filter(object_id=str(payment.id), action="dispute.opened").count() == 1


def test_when_the_money_has_been_spent_then_the_customer_owes_it_and_the_wallet_is_suspended(customer):
    payment = funded(customer)
    spend(customer, 1900)

    follow(payment, facts_of(payment))

    account = account_of(customer)
    assert (account.balance, account.floor, account.receivable) == (-1900, -1900, 1900)
    assert status_of(customer) == "suspended"


def test_when_a_debtor_pays_in_then_the_debt_is_paid_first_and_can_not_be_borrowed_again(customer):
    payment = funded(customer)
    spend(customer, 1900)
    follow(payment, facts_of(payment))
    reactivate_wallet(wallet_id=customer.wallet_id, actor="support:1", reason="talked", call=unkeyed())

    customer.top_up(customer.card(SUCCEEDS).id, 1000)
    partly = account_of(customer)
    customer.top_up(customer.card(SUCCEEDS).id, 1000)
    paid = account_of(customer)

    assert (partly.balance, partly.floor, partly.receivable) == (-900, -900, 900)
    assert (paid.balance, paid.floor, paid.receivable) == (100, 0, 0)


def test_when_a_dispute_is_won_then_the_money_comes_back_and_the_debt_is_gone(customer):
    payment = funded(customer)
    spend(customer, 1900)
    follow(payment, facts_of(payment))

    follow(payment, facts_of(payment, withdrawn=Money(0, "USD"), stage=DisputeStage.WON))

    account = account_of(customer)
    assert (account.balance, account.floor, account.receivable) == (600, 0, 0)
    assert (customer.payments[0].status, status_of(customer)) == ("succeeded", "suspended")
    assert dispute_lines(customer) == [-2500, 2500]


def test_when_a_dispute_is_lost_then_nothing_more_leaves_and_the_payment_stays_disputed(customer):
    payment = funded(customer)
    follow(payment, facts_of(payment))

    follow(payment, facts_of(payment, stage=DisputeStage.LOST))

    assert (customer.balance, customer.payments[0].status) == (0, "disputed")
    assert Dispute.objects.get(payment=payment).status == "lost"
    assert dispute_lines(customer) == [-2500]


def test_when_the_bank_only_inquires_then_no_money_moves_and_the_payment_stays_as_it_is(customer):
    payment = funded(customer)

    follow(payment, facts_of(payment, withdrawn=Money(0, "USD"), stage=DisputeStage.INQUIRY))

    assert (customer.balance, customer.payments[0].status) == (2500, "succeeded")
    assert Dispute.objects.get(payment=payment).status == "inquiry"


def test_when_the_same_facts_come_again_then_nothing_changes(customer):
    payment = funded(customer)
    follow(payment, facts_of(payment))
    before, told = customer.books(), OutboxEntry.objects.filter(payload__id=str(payment.id)).count()

    follow(payment, facts_of(payment))

    assert customer.books() == before
    assert OutboxEntry.objects.filter(payload__id=str(payment.id)).count() == told


def test_when_a_part_is_disputed_then_only_that_part_leaves(customer):
    payment = funded(customer)

    follow(payment, facts_of(payment, amount=Money(700, "USD"), withdrawn=Money(700, "USD")))

    assert (customer.balance, customer.payments[0].status) == (1800, "disputed")


def test_when_older_facts_are_applied_after_newer_ones_then_they_are_to_be_read_again(customer):
    payment = funded(customer)
    follow(payment, facts_of(payment))
    seen = state_of(processor="sandbox", reference=f"dp_{payment.id}")
    follow(payment, facts_of(payment, withdrawn=Money(0, "USD"), stage=DisputeStage.WON))
    before = customer.books()

    with pytest.raises(NotYet):
        apply_dispute(payment_id=payment.id, facts=facts_of(payment), seen=seen, actor="system:test")

    assert customer.books() == before


def test_when_the_charge_is_not_settled_yet_then_its_dispute_waits(customer):
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    payment = customer.payments[0]
    before = customer.books()

    with pytest.raises(NotYet):
        follow(payment, facts_of(payment))

    assert customer.books() == before


def test_when_the_facts_are_of_another_charge_then_nothing_moves(customer):
    payment = funded(customer)
    before = customer.books()

    with pytest.raises(ValueError, match="is not of payment"):
        follow(payment, facts_of(payment, charge_reference=str(uuid7())))

    assert customer.books() == before


def test_when_many_apply_the_same_facts_at_once_then_the_money_leaves_once(customer):
    payment = funded(customer)
    start = Barrier(6)

    def race(_racer: int) -> bool:
        try:
            start.wait(timeout=10)
            apply_dispute(payment_id=payment.id, facts=facts_of(payment), seen=None, actor="system:test")
        except NotYet:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as racers:
        applied = list(racers.map(race, range(6)))

    assert applied.count(True) == 1
    assert (customer.balance, dispute_lines(customer)) == (0, [-2500])


def swept() -> None:
    deliver_sandbox_webhooks()
    sweep_due_events(limit=10_000)


def test_when_the_sandboxs_disputed_card_is_charged_then_the_dispute_comes_by_webhook(customer):
    answer = customer.top_up(customer.card(IS_DISPUTED).id, 2500)
    paid = customer.balance
    spend(customer, 1000)

    swept()

    assert (answer.status, paid) == (201, 2500)
    assert (customer.balance, account_of(customer).receivable) == (-1000, 1000)
    assert (customer.payments[0].status, status_of(customer)) == ("disputed", "suspended")
    dispute = SandboxDispute.objects.get(charge_id=customer.payments[0].processor_reference)
    event = ProviderEvent.objects.get(provider="sandbox", event_id__contains=str(dispute.id))
    assert (event.status, event.due_at) == ("handled", None)


def test_when_the_sandboxs_dispute_is_won_then_the_money_comes_back_by_webhook(customer):
    customer.top_up(customer.card(IS_DISPUTED).id, 2500)
    swept()
    dispute = SandboxDispute.objects.get(charge_id=customer.payments[0].processor_reference)

    decide_sandbox_dispute(dispute_id=dispute.id, is_won=True)
    swept()

    assert (customer.balance, customer.payments[0].status) == (2500, "succeeded")
    assert dispute_lines(customer) == [-2500, 2500]


def test_when_the_dispute_comes_before_the_charge_is_settled_then_both_are_in_the_books_afterwards(
    customer, monkeypatch
):
    monkeypatch.setattr("payments.topups.settle_payment", lambda **_: pytest.fail("the process died"))
    with pytest.raises(pytest.fail.Exception):
        customer.top_up(customer.card(IS_DISPUTED).id, 2500)
    swept()
    waiting = (customer.balance, dispute_lines(customer))

    sweep_later()
    sweep_due_events(limit=10_000, at=now() + timedelta(minutes=1))

    assert waiting == (0, [])
    assert (customer.balance, customer.payments[0].status) == (0, "disputed")
    assert dispute_lines(customer) == [-2500]


def test_when_a_wallet_is_closed_by_then_it_owes_the_money_and_stays_closed(customer):
    payment = funded(customer)
    spend(customer, 2500)
    Wallet.objects.filter(pk=customer.wallet_id).update(status="closed")

    follow(payment, facts_of(payment))

    assert (account_of(customer).receivable, status_of(customer)) == (2500, "closed")


def test_when_a_suspension_would_end_by_itself_then_the_debt_makes_it_last(customer):
    payment = funded(customer)
    spend(customer, 2500)
    until = payment.created_at + timedelta(days=1)
    Wallet.objects.filter(pk=customer.wallet_id).update(status="suspended", suspended_until=until)

    follow(payment, facts_of(payment))

    wallet = Wallet.objects.get(pk=customer.wallet_id)
    assert (wallet.status, wallet.suspended_until) == ("suspended", None)

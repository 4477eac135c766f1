"""A chapter of bookkeeping: worked examples, each step with what every account says after it.

Amounts are in the minor unit. `wallet` is (balance, held, available); `books` is what the system's accounts have
taken in since the example began: outside (settlement), merchant, adjustments. They and the balance always sum to 0.
"""

from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.db.models import Sum
from django.utils import timezone

from tests.factories.calls import ACTOR, keyed, unkeyed
from tests.factories.holds import approve, ask, capture, hold_now, new_hold, reject, void
from tests.factories.money import fund, new_wallet, set_limits
from transactions import chart
from transactions.integrity import PROOFS, prove
from transactions.models import LedgerAccount, Transaction
from transactions.money import Money
from transactions.refusals import InsufficientFunds
from wallets import transfers
from wallets.freed_holds import expire_due_holds
from wallets.reversals import reverse_transaction

pytestmark = pytest.mark.django_db


class Example:
    """One wallet, and what the other side of the book has taken since it was opened."""

    def __init__(self, currency: str = "USD") -> None:
        self.currency = currency
        self.wallet_id: UUID = new_wallet(currency=currency)
        self._sides = (
            chart.settlement(processor="sandbox", currency=currency),
            chart.merchant(currency=currency),
            chart.adjustments(currency=currency),
        )
        self._before = self._sums()

    def _sums(self) -> list[int]:
        completed = Transaction.objects.filter(status="completed")
        return [
            completed.filter(account_id=side.id).aggregate(total=Sum("amount"))["total"] or 0
            for side in self._sides
        ]

    def says(self, *, wallet: tuple[int, int, int], books: tuple[int, int, int]) -> None:
        """Compare every account."""
        account = LedgerAccount.objects.get(id=self.wallet_id)
        taken = tuple(now - before for now, before in zip(self._sums(), self._before, strict=True))
        assert (account.balance, account.held, account.balance - account.held) == wallet
        assert taken == books
        assert account.balance + sum(taken) == 0
        assert [breach for proof in PROOFS for breach in prove(proof)] == []

    def fund(self, amount: int) -> None:
        fund(self.wallet_id, amount)

    def hold(self, amount: int, **facts) -> UUID:
        return new_hold(self.wallet_id, amount, currency=self.currency, **facts)

    def capture(self, hold_id: UUID, amount: int | None = None) -> None:
        capture(self.wallet_id, hold_id, amount)

    def pay(self, amount: int) -> None:
        transfers.pay(
            wallet_id=self.wallet_id,
            amount=Money(amount, self.currency),
            owner_id=None,
            actor=ACTOR,
            call=unkeyed(),
        )


def test_a_hotel_authorises_100_captures_30_then_25_and_lets_the_rest_go():
    example = Example()
    example.fund(150_00)
    example.says(wallet=(150_00, 0, 150_00), books=(-150_00, 0, 0))

    room = example.hold(100_00)
    example.says(wallet=(150_00, 100_00, 50_00), books=(-150_00, 0, 0))

    example.capture(room, 30_00)
    example.says(wallet=(120_00, 70_00, 50_00), books=(-150_00, 30_00, 0))

    example.capture(room, 25_00)
    example.says(wallet=(95_00, 45_00, 50_00), books=(-150_00, 55_00, 0))

    void(example.wallet_id, room)
    example.says(wallet=(95_00, 0, 95_00), books=(-150_00, 55_00, 0))


def test_a_pump_authorises_the_most_and_captures_what_was_filled_in():
    example = Example()
    example.fund(120_00)
    pump = example.hold(100_00)

    with pytest.raises(InsufficientFunds):
        example.pay(20_01)
    example.pay(20_00)
    example.says(wallet=(100_00, 100_00, 0), books=(-120_00, 20_00, 0))

    example.capture(pump, 37_42)
    void(example.wallet_id, pump)
    example.says(wallet=(62_58, 0, 62_58), books=(-120_00, 57_42, 0))


def test_an_order_is_shipped_in_three_parcels_and_the_last_one_closes_the_hold():
    example = Example()
    example.fund(90_00)
    order = example.hold(90_00)

    for shipped, left in ((20_00, 70_00), (30_00, 40_00), (40_00, 0)):
        example.capture(order, shipped)
        example.says(wallet=(left, left, 0), books=(-90_00, 90_00 - left, 0))

    assert hold_now(order).status == "captured"


def test_a_shop_forgets_its_hold_and_after_seven_days_the_customer_has_the_money_back():
    example = Example()
    example.fund(80_00)
    forgotten = example.hold(50_00)
    example.capture(forgotten, 10_00)
    example.says(wallet=(70_00, 40_00, 30_00), books=(-80_00, 10_00, 0))

    with time_machine.travel(timezone.now() + timedelta(days=7)):
        expire_due_holds(wallet_id=example.wallet_id)

    example.says(wallet=(70_00, 0, 70_00), books=(-80_00, 10_00, 0))


def test_a_capture_is_taken_back_and_the_hold_stays_used_up():
    example = Example()
    example.fund(80_00)
    hold_id = example.hold(50_00)
    example.capture(hold_id)
    (line_id,) = hold_now(hold_id).transaction_ids
    call = keyed("back")
    told = type(call)(ACTOR, "", b"", lambda posted: call.render(posted[0]))

    reverse_transaction(line_id=line_id, reason="never shipped", actor=ACTOR, call=told)

    assert (hold_now(hold_id).status, hold_now(hold_id).captured) == ("captured", 50_00)
    example.says(wallet=(80_00, 0, 80_00), books=(-80_00, 0, 0))


def test_a_credit_line_is_used_by_a_payment_and_a_hold_and_repaid_by_the_next_funding():
    example = Example()
    set_limits(example.wallet_id, credit=50_00)
    example.fund(20_00)

    example.pay(45_00)
    example.says(wallet=(-25_00, 0, -25_00), books=(-20_00, 45_00, 0))

    hold_id = example.hold(25_00)
    example.says(wallet=(-25_00, 25_00, -50_00), books=(-20_00, 45_00, 0))
    with pytest.raises(InsufficientFunds):
        example.pay(1)

    example.capture(hold_id)
    example.fund(60_00)
    set_limits(example.wallet_id)
    example.says(wallet=(10_00, 0, 10_00), books=(-80_00, 70_00, 0))


def test_a_customer_was_charged_twice_by_hand_and_finance_gives_it_back():
    example = Example()
    example.fund(40_00)

    credit = ask(example.wallet_id, 15_00)
    example.says(wallet=(40_00, 0, 40_00), books=(-40_00, 0, 0))
    approve(credit)

    example.says(wallet=(55_00, 0, 55_00), books=(-40_00, 0, -15_00))


def test_a_wallet_was_credited_by_mistake_and_finance_takes_it_back_before_it_is_spent():
    example = Example()
    example.fund(40_00)
    approve(ask(example.wallet_id, 15_00))

    debit = ask(example.wallet_id, -15_00)
    example.says(wallet=(55_00, 15_00, 40_00), books=(-40_00, 0, -15_00))
    with pytest.raises(InsufficientFunds):
        example.pay(40_01)
    approve(debit)

    example.says(wallet=(40_00, 0, 40_00), books=(-40_00, 0, 0))


def test_a_correction_is_refused_by_the_second_person_and_was_never_made():
    example = Example()
    example.fund(40_00)

    reject(ask(example.wallet_id, -15_00))
    reject(ask(example.wallet_id, 15_00))

    example.says(wallet=(40_00, 0, 40_00), books=(-40_00, 0, 0))


@pytest.mark.parametrize(("currency", "one"), [("JPY", 1), ("USD", 100), ("KWD", 1_000), ("UYW", 10_000)])
def test_a_tenth_is_captured_of_one_whole_unit_where_the_currency_has_tenths(currency, one):
    example = Example(currency)
    example.fund(2 * one)
    hold_id = example.hold(one)

    tenth = max(one // 10, 1)
    example.capture(hold_id, tenth)

    left = one - tenth
    example.says(wallet=(2 * one - tenth, left, one), books=(-2 * one, tenth, 0))


def test_a_whole_month_of_one_wallet_comes_out_to_the_cent():
    example = Example()
    set_limits(example.wallet_id, credit=100_00)
    example.fund(250_00)
    rent, fuel = example.hold(180_00), example.hold(90_00)
    example.says(wallet=(250_00, 270_00, -20_00), books=(-250_00, 0, 0))

    example.capture(rent)
    example.capture(fuel, 61_17)
    void(example.wallet_id, fuel)
    example.says(wallet=(8_83, 0, 8_83), books=(-250_00, 241_17, 0))

    wrong, right = ask(example.wallet_id, -8_83), ask(example.wallet_id, 3_33)
    example.pay(99_99)
    example.says(wallet=(-91_16, 8_83, -99_99), books=(-250_00, 341_16, 0))

    reject(wrong)
    approve(right)
    example.fund(100_00)
    example.says(wallet=(12_17, 0, 12_17), books=(-350_00, 341_16, -3_33))

"""Many processes, one hold: it ends once, and no interleaving spends its money twice."""

from datetime import timedelta
from functools import partial
from uuid import UUID

import time_machine
from django.utils import timezone

from tests.factories.calls import keyed, unkeyed
from tests.factories.holds import (
    approve,
    ask,
    capture,
    hold_now,
    money_of,
    new_hold,
    reject,
    staff,
    void,
)
from tests.factories.money import new_wallet, set_limits
from tests.races.processes import race
from tests.races.test_races import assert_books_balance, spending
from transactions.idempotency import Answer
from transactions.models import LedgerAccount, Transaction
from wallets.freed_holds import expire_due_holds
from wallets.models import Adjustment

EXPIRED, NOTHING = Answer(200, b"expired"), Answer(200, b"nothing")


def capturing(wallet_id: UUID, hold_id: UUID, amount: int | None = None, key: str = ""):
    return partial(capture, wallet_id, hold_id, amount, keyed(key) if key else unkeyed())


def voiding(wallet_id: UUID, hold_id: UUID):
    return partial(void, wallet_id, hold_id)


def authorising(wallet_id: UUID, amount: int):
    def authorise() -> Answer:
        return Answer(201, str(new_hold(wallet_id, amount)).encode())

    return authorise


def sweeping_later(wallet_id: UUID):
    """The sweep of somebody whose clock says that the hold's time is over."""

    def sweep() -> Answer:
        with time_machine.travel(timezone.now() + timedelta(hours=2)):
            return EXPIRED if expire_due_holds(wallet_id=wallet_id) else NOTHING

    return sweep


def payments_on(wallet_id: UUID) -> list[int]:
    return list(
        Transaction.objects.filter(account_id=wallet_id, type="payment").values_list("amount", flat=True)
    )


def test_when_16_race_to_capture_void_and_expire_one_hold_then_one_wins(committed):
    winners = set()
    for _ in range(4):
        wallet_id = new_wallet(1_000)
        hold_id = new_hold(wallet_id, 600, expires_in_s=3_600)
        ways = (capturing(wallet_id, hold_id), voiding(wallet_id, hold_id), sweeping_later(wallet_id))

        outcomes = race([[ways[racer % 3]] for racer in range(16)])

        won = [answer for each in outcomes for answer in each.answers if answer.body != NOTHING.body]
        refused = [code for outcome in outcomes for code in outcome.refusals]
        hold = hold_now(hold_id)
        winners.add(hold.stored_status)
        assert len(won) == 1
        assert set(refused) <= {"hold_not_open"}
        assert money_of(wallet_id) == ((400, 0) if hold.stored_status == "captured" else (1_000, 0))
        assert payments_on(wallet_id) == ([-600] if hold.stored_status == "captured" else [])
        assert (hold.captured, hold.unused) == (600 if hold.stored_status == "captured" else 0, 0)
    assert winners <= {"captured", "voided", "expired"}
    assert_books_balance()


def test_when_16_capture_parts_then_as_many_win_as_the_hold_has_room_for(committed):
    wallet_id = new_wallet(1_000)
    hold_id = new_hold(wallet_id, 650)

    outcomes = race([[capturing(wallet_id, hold_id, 100)] for _ in range(16)])

    refused = sorted(code for outcome in outcomes for code in outcome.refusals)
    hold = hold_now(hold_id)
    assert refused == ["amount_exceeds_remaining"] * 10
    assert (hold.captured, hold.stored_status, len(hold.transaction_ids)) == (600, "open", 6)
    assert len(set(hold.transaction_ids)) == 6
    assert money_of(wallet_id) == (400, 50)
    assert_books_balance()


def test_when_16_send_one_capture_under_one_key_then_it_happens_once(committed):
    wallet_id = new_wallet(1_000)
    hold_id = new_hold(wallet_id, 600)

    outcomes = race([[capturing(wallet_id, hold_id, 100, f"key-{hold_id}")] for _ in range(16)])

    answers = [answer for outcome in outcomes for answer in outcome.answers]
    assert [answer.replayed for answer in answers].count(False) == 1
    assert len({answer.body for answer in answers}) == 1
    assert (hold_now(hold_id).captured, money_of(wallet_id)) == (100, (900, 500))


def test_when_holds_payments_captures_and_voids_race_then_the_wallet_is_never_overspent(committed):
    wallet_id = new_wallet(1_000)
    held = [new_hold(wallet_id, 100) for _ in range(4)]
    racers = [
        *([[capturing(wallet_id, hold_id, 60), capturing(wallet_id, hold_id)] for hold_id in held]),
        *([[voiding(wallet_id, hold_id), spending(wallet_id, 90)] for hold_id in held]),
        *([[authorising(wallet_id, 110), spending(wallet_id, 70)] for _ in range(8)]),
    ]

    outcomes = race(racers)

    codes = {code for outcome in outcomes for code in outcome.refusals}
    account = LedgerAccount.objects.get(id=wallet_id)
    assert codes <= {"insufficient_funds", "hold_not_open"}
    assert account.balance == 1_000 + sum(payments_on(wallet_id))
    assert account.balance - account.held >= 0
    assert_books_balance()


def test_when_16_authorise_more_than_there_is_then_as_many_win_as_the_money_covers(committed):
    wallet_id = new_wallet(1_000)

    outcomes = race([[authorising(wallet_id, 150)] for _ in range(16)])

    assert sorted(outcome.refusals for outcome in outcomes) == [[]] * 6 + [["insufficient_funds"]] * 10
    assert money_of(wallet_id) == (1_000, 900)


def test_when_16_authorise_within_a_limit_then_as_many_win_as_it_has_room_for(committed):
    wallet_id = new_wallet(100_000)
    set_limits(wallet_id, daily_outflow=1_099)

    outcomes = race([[authorising(wallet_id, 100)] for _ in range(16)])

    assert sorted(outcome.refusals for outcome in outcomes) == [[]] * 10 + [["limit_exceeded"]] * 6
    assert money_of(wallet_id) == (100_000, 1_000)


def test_when_an_expired_hold_keeps_the_money_then_16_who_spend_it_free_it_once(committed):
    wallet_id = new_wallet(1_000)
    hold_id = new_hold(wallet_id, 1_000, expires_in_s=1)

    def spend_later() -> Answer:
        with time_machine.travel(timezone.now() + timedelta(seconds=2)):
            return spending(wallet_id, 100)()

    outcomes = race([[spend_later, spend_later] for _ in range(16)])

    hold, (balance, held) = hold_now(hold_id), money_of(wallet_id)
    assert hold.stored_status == "expired"
    assert held == 0
    assert balance == 1_000 + sum(payments_on(wallet_id)) >= 0
    assert {code for outcome in outcomes for code in outcome.refusals} <= {"insufficient_funds"}
    assert_books_balance()


def test_when_16_decide_one_correction_then_it_is_decided_once(committed):
    wallet_id = new_wallet(1_000)
    adjustment = ask(wallet_id, -300)
    deciders = [(decide, staff("finance")) for decide in (approve, reject) for _ in range(8)]

    outcomes = race([[partial(decide, adjustment, by=by)] for decide, by in deciders])

    won = [deciders[racer] for racer, outcome in enumerate(outcomes) if outcome.answers]
    decided = Adjustment.objects.get(id=adjustment.id)
    assert len(won) == 1
    assert sorted(outcome.refusals for outcome in outcomes)[1:] == [["adjustment_not_pending"]] * 15
    assert decided.decided_by == won[0][1].id
    assert money_of(wallet_id) == ((700, 0) if decided.status == "completed" else (1_000, 0))
    assert_books_balance()

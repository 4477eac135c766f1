"""Many processes, one book: no cent is lost, made, or spent twice."""

from functools import partial

from events.models import OutboxEntry
from tests.factories.calls import ACTOR, id_in, keyed, unkeyed
from tests.factories.money import balance_of, new_wallet, set_limits
from tests.factories.people import CustomerFactory
from tests.races.processes import race
from transactions.integrity import PROOFS, prove
from transactions.models import LedgerAccount, Transaction, Transfer
from transactions.money import Money
from wallets.lifecycle import open_wallet
from wallets.models import Wallet
from wallets.reversals import reverse_transaction
from wallets.transfers import pay, transfer


def moving(source_id, target_id, amount: int, call=None):
    return partial(
        transfer,
        source_id=source_id,
        target_id=target_id,
        amount=Money(amount, "USD"),
        owner_id=None,
        actor=ACTOR,
        call=call or unkeyed(),
    )


def spending(wallet_id, amount: int, call=None):
    return partial(
        pay,
        wallet_id=wallet_id,
        amount=Money(amount, "USD"),
        owner_id=None,
        actor=ACTOR,
        call=call or unkeyed(),
    )


def assert_books_balance() -> None:
    assert [breach for proof in PROOFS for breach in prove(proof)] == []


def test_when_16_workers_transfer_in_opposite_directions_then_none_deadlocks_and_the_sum_stays(committed):
    first, second = new_wallet(100_000), new_wallet(100_000)
    there, back = moving(first, second, 7), moving(second, first, 5)

    outcomes = race([[there if worker % 2 else back] * 10 for worker in range(16)])

    assert [outcome.refusals for outcome in outcomes] == [[]] * 16
    assert (balance_of(first), balance_of(second)) == (100_000 - 80 * 7 + 80 * 5, 100_000 + 80 * 7 - 80 * 5)
    for wallet_id in (first, second):
        lines = Transaction.objects.filter(account_id=wallet_id).order_by("seq")
        assert [line.seq for line in lines] == list(range(1, 162))
    assert_books_balance()


def test_when_a_circle_of_wallets_transfers_onwards_then_none_deadlocks_and_the_sum_stays(committed):
    wallets = [new_wallet(10_000) for _ in range(4)]
    steps = list(zip(wallets, [*wallets[1:], wallets[0]], strict=True))

    outcomes = race([[moving(*steps[worker % 4], 3)] * 10 for worker in range(8)])

    assert [outcome.refusals for outcome in outcomes] == [[]] * 8
    assert [balance_of(wallet_id) for wallet_id in wallets] == [10_000] * 4


def test_when_40_race_for_money_that_suffices_for_25_then_exactly_25_win(committed):
    wallet_id = new_wallet(2_599)

    outcomes = race([[spending(wallet_id, 100)] for _ in range(40)])

    won = [outcome for outcome in outcomes if outcome.answers]
    assert len(won) == 25
    assert [outcome.refusals for outcome in outcomes if not outcome.answers] == [["insufficient_funds"]] * 15
    assert balance_of(wallet_id) == 99
    assert Transaction.objects.filter(account_id=wallet_id, type="payment").count() == 25
    assert_books_balance()


def test_when_16_race_for_a_daily_limit_that_has_room_for_10_then_exactly_10_win(committed):
    wallet_id = new_wallet(100_000)
    set_limits(wallet_id, daily_outflow=1_099)

    outcomes = race([[spending(wallet_id, 100)] for _ in range(16)])

    assert sorted(outcome.refusals for outcome in outcomes) == [[]] * 10 + [["limit_exceeded"]] * 6
    account = LedgerAccount.objects.get(id=wallet_id)
    assert (account.balance, account.outflow_day_amount) == (99_000, 1_000)


def test_when_one_key_is_raced_by_16_then_there_is_one_effect_and_one_answer(committed):
    wallet_id = new_wallet(1_000)
    events_before = OutboxEntry.objects.count()

    outcomes = race([[spending(wallet_id, 900, keyed(f"one-{wallet_id}"))] for _ in range(16)])

    answers = [answer for outcome in outcomes for answer in outcome.answers]
    assert [outcome.refusals for outcome in outcomes] == [[]] * 16
    assert len({(answer.status, answer.body, answer.resource) for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert balance_of(wallet_id) == 100
    assert Transfer.objects.filter(id=id_in(answers[0])).count() == 1
    assert Transaction.objects.filter(account_id=wallet_id).count() == 2
    assert OutboxEntry.objects.count() == events_before + 1


def test_when_one_key_is_raced_with_two_requests_then_one_wins_and_the_other_is_told(committed):
    wallet_id = new_wallet(10_000)
    key = f"two-{wallet_id}"

    outcomes = race(
        [[spending(wallet_id, 1 + racer % 2, keyed(key, body=b"%d" % (racer % 2)))] for racer in range(8)]
    )

    won = [racer % 2 for racer, outcome in enumerate(outcomes) if outcome.answers]
    assert won in ([0] * 4, [1] * 4)
    assert sorted(outcome.refusals for outcome in outcomes) == [[]] * 4 + [["idempotency_key_reused"]] * 4
    assert balance_of(wallet_id) == 10_000 - 1 - won[0]


def test_when_16_open_the_same_wallet_then_one_wins_and_15_are_told_that_it_exists(committed):
    customer = CustomerFactory.create()
    opening = partial(open_wallet, user_id=customer.id, currency="KWD", actor=ACTOR, call=unkeyed())

    outcomes = race([[opening] for _ in range(16)])

    assert sorted(outcome.refusals for outcome in outcomes) == [[]] + [["wallet_exists"]] * 15
    (wallet,) = Wallet.objects.filter(user=customer)
    assert LedgerAccount.objects.filter(owner_id=customer.id).count() == 1
    assert [id_in(answer) for outcome in outcomes for answer in outcome.answers] == [wallet.id]


def test_when_16_open_the_same_wallet_under_one_key_then_all_get_the_one_answer(committed):
    customer = CustomerFactory.create()
    call = keyed(f"open-{customer.id}")
    opening = partial(open_wallet, user_id=customer.id, currency="KWD", actor=ACTOR, call=call)

    outcomes = race([[opening] for _ in range(16)])

    assert [outcome.refusals for outcome in outcomes] == [[]] * 16
    assert len({answer.body for outcome in outcomes for answer in outcome.answers}) == 1
    assert Wallet.objects.filter(user=customer).count() == 1


def test_when_8_take_one_payment_back_then_it_comes_back_once(committed):
    wallet_id = new_wallet(1_000)
    paid = spending(wallet_id, 400)()
    line = Transaction.objects.get(transfer_id=id_in(paid), account_id=wallet_id)
    call = keyed("")
    told = type(call)(principal=ACTOR, key="", fingerprint=b"", render=lambda posted: call.render(posted[0]))
    reversing = partial(reverse_transaction, line_id=line.id, reason="mistake", actor=ACTOR, call=told)

    outcomes = race([[reversing] for _ in range(8)])

    assert sorted(outcome.refusals for outcome in outcomes) == [[]] + [["already_reversed"]] * 7
    assert balance_of(wallet_id) == 1_000
    assert Transfer.objects.filter(reverses=id_in(paid)).count() == 1

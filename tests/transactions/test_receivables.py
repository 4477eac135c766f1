"""What an account owes: its floor is lowered by just as much, and all that comes in pays it back first."""

import pytest

from tests.factories.money import new_wallet
from transactions.models import LedgerAccount
from transactions.receivables import allow_shortfall
from wallets.locks import lock_wallet

pytestmark = pytest.mark.django_db


def debtor(balance: int, amount: int, *, floor: int = 0) -> LedgerAccount:
    """Make an account that `amount` was taken from, covered or not."""
    wallet_id = new_wallet(balance)
    LedgerAccount.objects.filter(id=wallet_id).update(floor=floor)
    wallet = lock_wallet(wallet_id, owner_id=None)
    allow_shortfall(wallet, amount)
    account = LedgerAccount.objects.get(id=wallet_id)
    return changed(account, balance=account.balance - amount, total_out=account.total_out + amount)


def changed(account: LedgerAccount, **columns: int) -> LedgerAccount:
    LedgerAccount.objects.filter(id=account.id).update(**columns)
    account.refresh_from_db()
    return account


def state(account: LedgerAccount) -> tuple[int, int, int]:
    return account.balance, account.floor, account.receivable


def paid_in(account: LedgerAccount, amount: int) -> LedgerAccount:
    return changed(account, balance=account.balance + amount, total_in=account.total_in + amount)


@pytest.mark.parametrize(
    ("balance", "amount", "floor", "expected"),
    [
        (500, 500, 0, (0, 0, 0)),
        (500, 501, 0, (-1, -1, 1)),
        (0, 700, 0, (-700, -700, 700)),
        (500, 700, -300, (-200, -300, 0)),
        (500, 1000, -300, (-500, -500, 200)),
    ],
)
def test_when_money_is_taken_then_only_what_is_missing_is_owed(balance, amount, floor, expected):
    assert state(debtor(balance, amount, floor=floor)) == expected


def test_when_money_comes_in_then_the_debt_is_paid_first_and_the_rest_can_be_spent():
    account = debtor(100, 700)

    partly = state(paid_in(account, 250))
    wholly = state(paid_in(account, 450))

    assert partly == (-350, -350, 350)
    assert wholly == (100, 0, 0)


def test_when_a_credit_line_was_there_then_it_is_whole_again_after_the_debt():
    account = debtor(0, 700, floor=-300)

    assert state(paid_in(account, 1000)) == (300, -300, 0)


def test_when_held_money_is_freed_then_it_pays_the_debt_too():
    wallet_id = new_wallet(500)
    LedgerAccount.objects.filter(id=wallet_id).update(held=200)
    allow_shortfall(lock_wallet(wallet_id, owner_id=None), 400)
    account = LedgerAccount.objects.get(id=wallet_id)
    changed(account, balance=100, total_out=account.total_out + 400)

    freed = changed(account, held=0)

    assert state(freed) == (100, 0, 0)


def test_when_nothing_comes_in_then_the_debt_stays():
    account = debtor(0, 700)

    assert state(changed(account, version=account.version + 1)) == (-700, -700, 700)

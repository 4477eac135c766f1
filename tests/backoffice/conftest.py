"""A member of staff in the back office, and something to look at."""

from dataclasses import dataclass
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client

from tests.factories.calls import unkeyed
from tests.factories.money import fund, new_wallet
from tests.factories.people import CustomerFactory, someone
from transactions.models import Transaction
from transactions.money import Money
from users import colleagues
from users.models import User
from wallets.transfers import transfer


@pytest.fixture
def staff(db: None) -> Client:
    """A browser in which an administrator has logged in."""
    client = Client()
    client.force_login(someone("admin"))
    return client


@pytest.fixture
def newly_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of the staff aren't known from before."""
    monkeypatch.setattr(colleagues, "_read_at_s", float("-inf"))


@dataclass(frozen=True)
class Scene:
    """Alice has sent Bob 12.50 of her 1,234,567.89 euros."""

    alice: User
    bob: User
    alices_wallet: UUID
    bobs_wallet: UUID
    transfer: UUID
    debit: UUID
    credit: UUID


@pytest.fixture
def scene(db: None) -> Scene:
    """Two customers, a funded wallet and a transfer."""
    alice, bob = CustomerFactory.create(), CustomerFactory.create()
    alices_wallet = new_wallet(123456789, currency="EUR", owner=alice)
    bobs_wallet = new_wallet(currency="EUR", owner=bob)
    with transaction.atomic():
        transfer(
            source_id=alices_wallet,
            target_id=bobs_wallet,
            amount=Money(1250, "EUR"),
            owner_id=alice.id,
            actor=f"user:{alice.id}",
            call=unkeyed(),
            description="Dinner",
        )
    debit = Transaction.objects.get(account_id=alices_wallet, amount=-1250)
    credit = Transaction.objects.get(account_id=bobs_wallet)
    return Scene(alice, bob, alices_wallet, bobs_wallet, debit.transfer_id, debit.id, credit.id)


@pytest.fixture
def five_wallets(db: None) -> list[UUID]:
    """Five wallets with money, the oldest one first."""
    wallets = [new_wallet() for _ in range(5)]
    for wallet in wallets:
        fund(wallet, 100)
    return wallets

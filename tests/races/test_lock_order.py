"""Locks are taken in id order: shown by who waits for what, and by the deadlock of the opposite order."""

import threading
import time

import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories.money import new_wallet
from tests.factories.schema import executed, fetched
from wallets import locks

LOCK_ONE = "SELECT 1 FROM transactions_ledgeraccount WHERE id = %s FOR UPDATE"
DEADLOCK = "40P01"


class Locker(threading.Thread):
    """Another connection that locks both wallets as the product does, given the ids highest first."""

    def __init__(self, low, high) -> None:
        super().__init__()
        self.ids, self.pid, self.connected = [high, low], 0, threading.Event()
        self.locked: list = []
        self.failure = ""

    def run(self) -> None:
        try:
            with transaction.atomic():
                self.pid = fetched("SELECT pg_backend_pid()")[0][0]
                self.connected.set()
                self.locked = list(locks.lock_wallets(self.ids))
        except DatabaseError as error:
            self.failure = locks.sqlstate(error)
        finally:
            self.connected.set()
            connection.close()

    def wait_until_blocked(self) -> None:
        assert self.connected.wait(5)
        until = time.monotonic() + 5
        while not fetched("SELECT cardinality(pg_blocking_pids(%s)) > 0", self.pid)[0][0]:
            assert time.monotonic() < until, "the other connection doesn't wait for anybody"
            time.sleep(0.005)


@pytest.fixture
def pair(committed):
    return sorted([new_wallet(), new_wallet()])


def is_free(account_id) -> bool:
    """Whether nobody else holds the row."""
    return bool(fetched(LOCK_ONE + " SKIP LOCKED", account_id))


def test_when_the_lower_wallet_is_taken_then_the_other_connection_waits_with_nothing_in_its_hands(pair):
    low, high = pair
    with transaction.atomic():
        executed(LOCK_ONE, low)
        other = Locker(low, high)
        other.start()
        other.wait_until_blocked()

        assert is_free(high) is True

    other.join(10)
    assert other.locked == [low, high]


def test_when_the_higher_wallet_is_taken_then_the_other_connection_holds_the_lower_one_already(pair):
    low, high = pair
    with transaction.atomic():
        executed(LOCK_ONE, high)
        other = Locker(low, high)
        other.start()
        other.wait_until_blocked()

        assert is_free(low) is False

    other.join(10)
    assert other.locked == [low, high]


def test_when_one_connection_takes_them_in_the_opposite_order_then_the_two_deadlock(pair, monkeypatch):
    backwards = locks._LOCK_WALLETS.replace("ORDER BY w.id", "ORDER BY w.id DESC")
    assert backwards != locks._LOCK_WALLETS
    monkeypatch.setattr(locks, "_LOCK_WALLETS", backwards)
    low, high = pair
    failures = []
    try:
        with transaction.atomic():
            executed(LOCK_ONE, low)
            other = Locker(low, high)
            other.start()
            other.wait_until_blocked()
            executed(LOCK_ONE, high)
    except DatabaseError as error:
        failures.append(locks.sqlstate(error))
    other.join(10)

    # PostgreSQL chooses whom it sacrifices; there is exactly one.
    assert [failure for failure in [*failures, other.failure] if failure] == [DEADLOCK]


def test_when_both_rows_of_a_wallet_are_locked_then_neither_is_read_stale(pair):
    wallet_id = pair[0]
    with transaction.atomic():
        executed("UPDATE transactions_ledgeraccount SET version = version + 1 WHERE id = %s", wallet_id)
        executed("UPDATE wallets_wallet SET label = 'new' WHERE id = %s", wallet_id)
        seen = []

        def read() -> None:
            try:
                with transaction.atomic():
                    wallet = locks.lock_wallets([wallet_id])[wallet_id]
                    seen.append((wallet.version, wallet.label))
            finally:
                connection.close()

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.1)
        assert seen == []
    reader.join(10)

    assert seen == [(2, "new")]

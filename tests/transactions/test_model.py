"""The use cases in any order against a model in Python: balances agree, and a refusal moves nothing at all."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from uuid_utils.compat import uuid7

from tests.factories.books import books
from tests.factories.calls import ACTOR, id_in, keyed, unkeyed
from tests.factories.money import NO_LIMITS, fund, funding_entries, locked, new_wallet
from transactions import chart, ledger
from transactions.idempotency import Answer, KeyedCall
from transactions.integrity import PROOFS, prove
from transactions.models import LedgerAccount, LineType, PostingStatus, Transaction, TransferKind
from transactions.money import Money
from transactions.movements import Entry, Movement
from transactions.queries import load_movement
from transactions.refusals import Refusal
from wallets import lifecycle, limits, reversals, transfers

NOON = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)

AMOUNTS = st.sampled_from([1, 99, 150, 250, 400, 600])
WALLETS = st.integers(0, 3)
SPENDERS = st.sampled_from([0, 1, 1, 2, 3])
CURRENCIES = st.sampled_from(["USD", "USD", "USD", "EUR"])
LIMITS = st.one_of(st.none(), st.integers(0, 900))

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES") or 40)
STEPS = int(os.environ.get("MODEL_STEPS") or 40)
"""`make soak ARGS="model"` asks for more of both."""


@dataclass
class ModelWallet:
    """What a wallet should be."""

    id: UUID
    currency: str
    balance: int = 0
    held: int = 0
    status: str = "active"
    spent_today: int = 0
    limits: dict[str, int | None] = field(default_factory=lambda: dict(NO_LIMITS))

    @property
    def floor(self) -> int:
        return -(self.limits["credit"] or 0)

    def lacks(self, amount: int) -> bool:
        return self.balance - self.held - amount < self.floor

    def exceeds_limit(self, amount: int) -> bool:
        return any(
            limit is not None and total > limit
            for limit, total in (
                (self.limits["per_transaction"], amount),
                (self.limits["daily_outflow"], self.spent_today + amount),
                (self.limits["monthly_outflow"], self.spent_today + amount),
            )
        )


@dataclass
class Posted:
    """A payment or transfer that was made, and the call that made it."""

    transfer_id: UUID
    moved: list[tuple[ModelWallet, int]]
    call: Callable[[KeyedCall], Answer]
    key: str
    body: bytes
    is_reversed: bool = False


class Books(RuleBasedStateMachine):
    """Four wallets, one of them in another currency."""

    def __init__(self) -> None:
        super().__init__()
        self._atomic = transaction.atomic()
        self._atomic.__enter__()
        self.wallets = [
            ModelWallet(new_wallet(600, currency=code), code, 600) for code in ("USD", "USD", "USD", "EUR")
        ]
        # From the start there are a limit to run into and a wallet to overfill.
        self.limit(1, {"per_transaction": 300, "daily_outflow": 400})
        self.limit(2, {"maximum_balance": 700})
        self.pending: list[tuple[UUID, ModelWallet, int]] = []
        self.posted: list[Posted] = []

    def teardown(self) -> None:
        try:
            assert [breach for proof in PROOFS for breach in prove(proof)] == []
        finally:
            transaction.set_rollback(True)
            self._atomic.__exit__(None, None, None)

    def attempt(self, expected: str, act: Callable[[], Any]) -> Any:
        """Do it; where the model expects a refusal, exactly that one comes and the books stay as they are."""
        before = books() if expected else {}
        result, refused = None, ""
        try:
            # As in a request: what refuses rolls back.
            with transaction.atomic():
                result = act()
        except Refusal as refusal:
            refused = refusal.code
        assert refused == expected
        if refused:
            assert books() == before
        return result

    @rule(wallet=WALLETS, amount=AMOUNTS)
    def money_arrives(self, wallet: int, amount: int) -> None:
        target = self.wallets[wallet]
        if target.status == "closed":
            return
        fund(target.id, amount)
        target.balance += amount

    @rule(wallet=SPENDERS, amount=AMOUNTS, currency=CURRENCIES)
    def pay(self, wallet: int, amount: int, currency: str) -> None:
        source = self.wallets[wallet]
        expected = self.refusal_of_source(source, amount, currency)

        def call(keyed_call: KeyedCall) -> Answer:
            return transfers.pay(
                wallet_id=source.id,
                amount=Money(amount, currency),
                owner_id=None,
                actor=ACTOR,
                call=keyed_call,
            )

        self.make(expected, call, [(source, -amount)])

    @rule(source=SPENDERS, receiver=WALLETS, amount=AMOUNTS, currency=CURRENCIES)
    def transfer(self, source: int, receiver: int, amount: int, currency: str) -> None:
        giver, taker = self.wallets[source], self.wallets[receiver]
        expected = self.refusal_of_source(giver, amount, currency, taker)

        def call(keyed_call: KeyedCall) -> Answer:
            return transfers.transfer(
                source_id=giver.id,
                target_id=taker.id,
                amount=Money(amount, currency),
                owner_id=None,
                actor=ACTOR,
                call=keyed_call,
            )

        self.make(expected, call, [(giver, -amount), (taker, amount)])

    def refusal_of_source(
        self, source: ModelWallet, amount: int, currency: str, target: ModelWallet | None = None
    ) -> str:
        """What the contract's order of refusals says of an outflow."""
        if source.status != "active":
            return f"wallet_{source.status}"
        if source is target:
            return "same_wallet"
        if source.currency != currency:
            return "currency_mismatch"
        if target is not None:
            maximum = target.limits["maximum_balance"]
            is_full = maximum is not None and target.balance + amount > maximum
            if target.status != "active" or target.currency != currency or is_full:
                return "target_unavailable"
        if source.exceeds_limit(amount):
            return "limit_exceeded"
        return "insufficient_funds" if source.lacks(amount) else ""

    def make(
        self, expected: str, call: Callable[[KeyedCall], Answer], moved: list[tuple[ModelWallet, int]]
    ) -> None:
        key, body = str(uuid7()), b"first"
        answer = self.attempt(expected, lambda: call(keyed(key, body=body)))
        if answer is None:
            return
        for wallet, amount in moved:
            wallet.balance += amount
            wallet.spent_today -= min(amount, 0)
        self.posted.append(Posted(id_in(answer), moved, call, key, answer.body))

    @precondition(lambda self: self.posted)
    @rule(data=st.data(), is_same=st.booleans())
    def repeat(self, data: st.DataObject, is_same: bool) -> None:
        made = data.draw(st.sampled_from(self.posted))
        before = books()
        if is_same:
            answer = made.call(keyed(made.key, body=b"first"))
            assert (answer.replayed, answer.body) == (True, made.body)
            assert books() == before
        else:
            self.attempt("idempotency_key_reused", lambda: made.call(keyed(made.key, body=b"other")))

    @precondition(lambda self: self.posted)
    @rule(data=st.data(), line=st.integers(0, 1))
    def reverse(self, data: st.DataObject, line: int) -> None:
        made = data.draw(st.sampled_from(self.posted))
        if made.is_reversed:
            expected = "already_reversed"
        elif any(wallet.status == "closed" for wallet, _amount in made.moved):
            expected = "wallet_closed"
        elif any(amount > 0 and wallet.lacks(amount) for wallet, amount in made.moved):
            expected = "insufficient_funds"
        else:
            expected = ""
        wallet = made.moved[line % len(made.moved)][0]
        line_id = Transaction.objects.get(transfer_id=made.transfer_id, account_id=wallet.id).id
        told = unkeyed()
        call = KeyedCall(ACTOR, "", b"", render=lambda posted: told.render(posted[0]))
        done = self.attempt(
            expected,
            lambda: reversals.reverse_transaction(line_id=line_id, reason="mistake", actor=ACTOR, call=call),
        )
        if done is not None:
            made.is_reversed = True
            for wallet, amount in made.moved:
                wallet.balance -= amount

    @rule(wallet=WALLETS, amount=AMOUNTS, is_debit=st.booleans())
    def reserve(self, wallet: int, amount: int, is_debit: bool) -> None:
        account = self.wallets[wallet]
        if account.status == "closed":
            return

        def act() -> Movement:
            row = locked(account.id)
            if not is_debit:
                return ledger.reserve(
                    Movement(kind=TransferKind.FUNDING, actor=ACTOR), funding_entries(row, amount)
                )
            merchant = chart.merchant(currency=account.currency)
            return ledger.reserve(
                Movement(kind=TransferKind.PAYMENT, actor=ACTOR),
                [Entry(row, -amount, LineType.PAYMENT), Entry(merchant, amount, LineType.PAYMENT)],
            )

        expected = "insufficient_funds" if is_debit and account.lacks(amount) else ""
        movement = self.attempt(expected, act)
        if movement is not None:
            account.held += amount if is_debit else 0
            self.pending.append((movement.id, account, -amount if is_debit else amount))

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), is_settled=st.booleans())
    def end_reservation(self, data: st.DataObject, is_settled: bool) -> None:
        chosen = data.draw(st.sampled_from(self.pending))
        self.pending.remove(chosen)
        transfer_id, account, amount = chosen
        movement, rows = load_movement(transfer_id), {account.id: locked(account.id)}
        assert movement is not None
        if is_settled:
            ledger.settle(movement, rows)
            account.balance += amount
        else:
            ledger.release(movement, rows, status=PostingStatus.CANCELLED)
        account.held += min(amount, 0)

    @rule(wallet=WALLETS, is_suspended=st.booleans())
    def suspend_or_reactivate(self, wallet: int, is_suspended: bool) -> None:
        account = self.wallets[wallet]
        expected = "wallet_closed" if account.status == "closed" else ""
        use_case = lifecycle.suspend_wallet if is_suspended else lifecycle.reactivate_wallet
        facts = {"wallet_id": account.id, "actor": ACTOR, "reason": "asked for", "call": unkeyed()}
        if self.attempt(expected, lambda: use_case(**facts)) is not None:
            account.status = "suspended" if is_suspended else "active"

    @rule(wallet=WALLETS)
    def close(self, wallet: int) -> None:
        account = self.wallets[wallet]
        is_busy = account.balance or account.held or any(on is account for _id, on, _amount in self.pending)
        expected = "wallet_closed" if account.status == "closed" else "wallet_not_empty" if is_busy else ""
        closed = self.attempt(
            expected,
            lambda: lifecycle.close_wallet(
                wallet_id=account.id, owner_id=None, actor=ACTOR, reason="done", call=unkeyed()
            ),
        )
        if closed is not None:
            account.status = "closed"

    @rule(
        wallet=WALLETS,
        changed=st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(("maximum_balance", "per_transaction", "daily_outflow", "credit"), LIMITS),
        ),
    )
    def limit(self, wallet: int, changed: dict[str, int | None]) -> None:
        account = self.wallets[wallet]
        asked = {**NO_LIMITS, **changed}
        is_in_use = account.balance - account.held < -(asked["credit"] or 0)
        done = self.attempt(
            "validation_error" if is_in_use else "",
            lambda: limits.set_limits(wallet_id=account.id, actor=ACTOR, call=unkeyed(), **asked),
        )
        if done is not None:
            account.limits = asked

    @invariant()
    def the_book_agrees_with_the_model(self) -> None:
        rows = {
            row.id: (row.balance, row.held, row.floor)
            for row in LedgerAccount.objects.filter(id__in=[wallet.id for wallet in self.wallets])
        }
        assert rows == {wallet.id: (wallet.balance, wallet.held, wallet.floor) for wallet in self.wallets}


@pytest.mark.django_db
def test_when_use_cases_run_in_any_order_then_the_book_agrees_with_a_model_of_it():
    with time_machine.travel(NOON):
        run_state_machine_as_test(
            Books,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
                # Forty steps are read sooner than they are shrunk.
                phases=(Phase.explicit, Phase.generate),
            ),
        )

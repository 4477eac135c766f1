"""The book's only writer: post, reserve, settle, release, reverse.

Every function takes accounts that the caller has locked in id order (`wallets.locks`), and writes a whole
movement in one statement: the transfer, its lines, the balances, the outbox entry and the idempotency key.
`completed_at` and the new balances are computed here, under the lock, so that time follows `seq` and the
answer can be rendered before it is stored.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from events import context, outbox
from events.clock import now
from transactions import chart
from transactions.accounts import Account
from transactions.chart import SystemAccount
from transactions.idempotency import KeyedCall
from transactions.locked_writes import add_accounts, add_key, write
from transactions.models import LineType, PostingStatus
from transactions.movements import Entry, Line, Movement
from transactions.statement_parts import (
    INSERT_DELTAS,
    INSERT_LINES,
    INSERT_OUTBOX,
    INSERT_TRANSFER,
    SETTLE_LINES,
    SETTLE_TRANSFER,
    Change,
    Statement,
    line_rows,
    outbox_account,
    outbox_line,
    transfer_row,
)


class UnbalancedMovement(AssertionError):
    """The lines don't sum to zero in each currency: a bug of the caller, nothing was written."""


def post(
    movement: Movement,
    entries: Sequence[Entry],
    *,
    call: KeyedCall | None = None,
    beside: Callable[[Movement], Sequence[Change]] | None = None,
) -> Movement:
    """Write a completed movement: lines that sum to zero, new balances, outbox entry, and the call's key.

    `entries` are signed minor units; wallets' accounts must be locked. `beside` gives changes of other locked rows
    that belong in the same statement. With `call` the answer is rendered and stored with it, in `movement.answer`.
    Refuses with InsufficientFunds when an account would fall below its floor, and with IdempotencyInProgress when
    the key's first call still runs.
    """
    at = _begin(movement, entries, PostingStatus.COMPLETED)
    for line, entry in zip(movement.lines, entries, strict=True):
        if isinstance(entry.account, Account):
            _complete(line, entry.account, at)
        else:
            line.completed_at = at
    movement.completed_at = max(line.completed_at or at for line in movement.lines)
    return _write_new(movement, _locked(entries), call, beside)


def reserve(movement: Movement, entries: Sequence[Entry], *, call: KeyedCall | None = None) -> Movement:
    """Write a pending movement: debits of wallets are held until it is settled or released, credits wait.

    Refuses with InsufficientFunds when an account's available money doesn't cover its debit.
    """
    at = _begin(movement, entries, PostingStatus.PENDING)
    touched = []
    for entry in entries:
        account = entry.account
        if isinstance(account, Account) and entry.amount < 0:
            account.require_cover(-entry.amount)
            account.held -= entry.amount
            touched.append(account)
    movement.created_at = at
    return _write_new(movement, touched, call)


def settle(movement: Movement, accounts: dict[UUID, Account]) -> Movement:
    """Complete a pending movement; money that arrived is never refused, whatever the wallet's state.

    `accounts` are the locked accounts of its wallets by id. The transfer must be pending and its row, or that
    of the document that it belongs to, locked by the caller.
    """
    at = now()
    touched = []
    for line in movement.lines:
        if line.rolled_up:
            line.completed_at = at
            continue
        account = accounts[line.account_id]
        if line.amount < 0:
            account.held += line.amount
        _complete(line, account, at)
        touched.append(account)
    movement.status = PostingStatus.COMPLETED
    movement.completed_at = max(line.completed_at or at for line in movement.lines)
    return _write_end(movement, touched)


def release(
    movement: Movement, accounts: dict[UUID, Account], *, status: PostingStatus, failure_code: str = ""
) -> Movement:
    """End a pending movement without moving money: `failed` or `cancelled`; what it held is free again."""
    touched = []
    for line in movement.lines:
        if line.amount < 0 and not line.rolled_up:
            account = accounts[line.account_id]
            account.held += line.amount
            touched.append(account)
    movement.status = status
    movement.failure_code = failure_code
    return _write_end(movement, touched)


def reverse(
    original: Movement, movement: Movement, accounts: dict[UUID, Account], *, call: KeyedCall | None = None
) -> Movement:
    """Post the opposite of a completed movement, linked to it; the database lets that happen once.

    Refuses with InsufficientFunds when somebody has already spent what would be taken back.
    """
    movement.reverses = original.id
    entries = [
        Entry(
            account=(
                SystemAccount(id=line.account_id, currency=line.currency)
                if line.rolled_up
                else accounts[line.account_id]
            ),
            amount=-line.amount,
            type=LineType.REVERSAL,
        )
        for line in original.lines
    ]
    return post(movement, entries, call=call)


def _begin(movement: Movement, entries: Sequence[Entry], status: PostingStatus) -> datetime:
    at = now()
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.account.currency] = sums.get(entry.account.currency, 0) + entry.amount
    if len(entries) < 2 or any(sums.values()):
        raise UnbalancedMovement(f"{movement.kind} {movement.id}: {sums}")
    system = [entry.account for entry in entries if isinstance(entry.account, SystemAccount)]
    if system:
        chart.ensure_open(system)
    movement.status = status
    movement.created_at = at
    movement.effective_at = movement.effective_at or at
    movement.lines = [
        Line(
            id=uuid7(),
            account_id=entry.account.id,
            rolled_up=isinstance(entry.account, SystemAccount),
            type=entry.type.value,
            amount=entry.amount,
            currency=entry.account.currency,
            created_at=at,
        )
        for entry in entries
    ]
    return at


def _locked(entries: Sequence[Entry]) -> list[Account]:
    return [entry.account for entry in entries if isinstance(entry.account, Account)]


def _complete(line: Line, account: Account, at: datetime) -> None:
    line.completed_at = account.take_line(line.amount, at)
    line.seq = account.last_seq
    line.balance_after = account.balance


def _write_new(
    movement: Movement,
    accounts: Sequence[Account],
    call: KeyedCall | None,
    beside: Callable[[Movement], Sequence[Change]] | None = None,
) -> Movement:
    statement = Statement()
    changed = add_accounts(statement, accounts)
    statement.add(
        "transfer", INSERT_TRANSFER, [transfer_row(movement, request_id=context.current().request_id)]
    )
    statement.add("lines", INSERT_LINES, line_rows(movement))
    _add_traces(statement, movement, changed, is_new=True)
    for change in beside(movement) if beside is not None else ():
        statement.add(*change)
    if call is not None:
        movement.answer = add_key(statement, call, movement)
    write(statement, changed)
    return movement


def _write_end(movement: Movement, accounts: Sequence[Account]) -> Movement:
    statement = Statement()
    changed = add_accounts(statement, accounts)
    status = movement.status.value
    statement.add(
        "transfer", SETTLE_TRANSFER, [(movement.id, status, movement.failure_code, movement.completed_at)]
    )
    statement.add(
        "lines",
        SETTLE_LINES,
        [(line.id, status, line.seq, line.balance_after, line.completed_at) for line in movement.lines],
    )
    _add_traces(statement, movement, changed, is_new=False)
    write(statement, changed)
    return movement


def _add_traces(
    statement: Statement, movement: Movement, changed: Sequence[Account], *, is_new: bool
) -> None:
    if movement.status is PostingStatus.COMPLETED:
        deltas = [(line.account_id, line.amount) for line in movement.lines if line.rolled_up]
        statement.add("deltas", INSERT_DELTAS, deltas)
    payload = {
        "transfer": movement.id,
        "kind": movement.kind.value,
        "is_new": is_new,
        "description": movement.description,
        "reference": movement.reference,
        "metadata": movement.metadata,
        "payment_id": movement.payment_id,
        "refund_of": movement.refund_of,
        "failure_code": movement.failure_code,
        "effective_at": movement.effective_at,
        "created_at": movement.created_at,
        "lines": [outbox_line(line) for line in movement.lines if not line.rolled_up],
        "accounts": [outbox_account(account) for account in changed],
    }
    entry = outbox.entry_row(f"transfer.{movement.status.value}", payload, movement.completed_at or now())
    statement.add("outbox", INSERT_OUTBOX, [entry])

"""The book's writer of holds: set aside, capture, free.

As in `ledger`, the caller has locked what changes, the hold's row first and then its account, and each function
writes all of it in one statement: the hold, the account, the payment of a capture, the outbox entry and the key.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from events import context, outbox
from events.clock import now
from transactions import chart, ledger
from transactions.accounts import Account
from transactions.held_amounts import HeldAmount, as_shown
from transactions.idempotency import Answer, KeyedCall
from transactions.locked_writes import add_accounts, add_key, write
from transactions.models import HoldStatus, LineType, TransferKind
from transactions.movements import Entry, Movement
from transactions.statement_parts import INSERT_OUTBOX, Change, Part, Statement, outbox_account

INSERT_HOLD = Part(
    "INSERT INTO transactions_hold (id, account_id, amount, captured, status, description, reference, metadata,"
    " actor, request_id, expires_at, created_at) VALUES ",
    "(%s, %s, %s, 0, 'open', %s, %s, '{}'::jsonb, %s, %s, %s, %s)",
    " RETURNING 1",
)

UPDATE_HOLD = Part(
    "UPDATE transactions_hold AS h SET captured = v.captured, status = v.status, closed_at = v.closed_at"
    " FROM (VALUES ",
    "(%s::uuid, %s::bigint, %s, %s::timestamptz)",
    ") AS v (id, captured, status, closed_at) WHERE h.id = v.id AND h.status = 'open' RETURNING 1",
)


def set_aside(hold: HeldAmount, account: Account, *, call: KeyedCall) -> Answer:
    """Write a new hold; its amount is no longer available. `call.render` is given the HeldAmount.

    Refuses with InsufficientFunds, and with IdempotencyInProgress when the key's first call still runs.
    """
    account.require_cover(hold.amount)
    account.held += hold.amount
    statement = Statement()
    changed = add_accounts(statement, [account])
    row = (
        hold.id,
        hold.account_id,
        hold.amount,
        hold.description,
        hold.reference,
        hold.actor,
        context.current().request_id,
        hold.expires_at,
        hold.created_at,
    )
    statement.add("hold", INSERT_HOLD, [row])
    statement.add(*_event(hold, "hold.created", changed))
    answer = add_key(statement, call, hold)
    write(statement, changed)
    return answer


def capture(hold: HeldAmount, account: Account, amount: int, *, actor: str, call: KeyedCall) -> Answer:
    """Pay `amount` minor units of what an open hold still keeps to the merchant; used up, the hold is closed.

    `call.render` is given the HeldAmount. The caller has seen that so much remains.
    """
    account.held -= amount
    hold.captured += amount
    if hold.captured == hold.amount:
        hold.stored_status = HoldStatus.CAPTURED.value
        hold.stored_closed_at = now()
    movement = Movement(
        kind=TransferKind.PAYMENT,
        actor=actor,
        description=hold.description,
        reference=hold.reference,
        hold_id=hold.id,
    )
    entries = [
        Entry(account, -amount, LineType.PAYMENT),
        Entry(chart.merchant(currency=hold.currency), amount, LineType.PAYMENT),
    ]

    def with_hold(posted: Movement) -> list[Change]:
        hold.transaction_ids.append(posted.line_of(account.id).id)
        return [_update(hold), _event(hold, "hold.captured", ())]

    shown = replace(call, render=lambda _posted: call.render(hold))
    return ledger.post(movement, entries, call=shown, beside=with_hold).stored_answer


def free(
    hold: HeldAmount,
    account: Account,
    *,
    status: HoldStatus,
    closed_at: datetime,
    call: KeyedCall,
) -> Answer:
    """Close an open hold as `voided` or `expired`: what it still keeps is available again.

    What has been captured stays captured. `call.render` is given the HeldAmount.
    """
    account.held -= hold.unused
    hold.stored_status = status.value
    hold.stored_closed_at = closed_at
    statement = Statement()
    changed = add_accounts(statement, [account])
    statement.add(*_update(hold))
    statement.add(*_event(hold, f"hold.{status.value}", changed))
    answer = add_key(statement, call, hold)
    write(statement, changed)
    return answer


def _update(hold: HeldAmount) -> Change:
    return Change("hold", UPDATE_HOLD, [(hold.id, hold.captured, hold.stored_status, hold.stored_closed_at)])


def _event(hold: HeldAmount, kind: str, changed: Sequence[Account]) -> Change:
    payload = {**as_shown(hold), "accounts": [outbox_account(account) for account in changed]}
    return Change("hold_event", INSERT_OUTBOX, [outbox.entry_row(kind, payload, now())])

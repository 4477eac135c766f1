"""One statement under the locks of its accounts: all of it happens, or nothing, and who listens hears after commit."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from events.signals import wallet_balance_changed
from transactions.accounts import Account
from transactions.idempotency import Answer, KeyedCall, key_lock_timeout, key_row
from transactions.prepared import run
from transactions.statement_parts import INSERT_KEY, UPDATE_ACCOUNTS, Statement, account_row


class LostLock(AssertionError):
    """A row changed although the caller claims its lock: a bug, the whole transaction rolls back."""


def add_accounts(statement: Statement, accounts: Sequence[Account]) -> list[Account]:
    """Add the accounts as they shall be, each once; their versions rise. Gives those that change."""
    changed = list({account.id: account for account in accounts}.values())
    statement.add("accounts", UPDATE_ACCOUNTS, [account_row(account) for account in changed])
    for account in changed:
        account.version += 1
    return changed


def add_key(statement: Statement, call: KeyedCall, result: Any) -> Answer:
    """Render the answer and add the call's key, as the statement's last lock."""
    answer = call.render(result)
    if call.key:
        row = key_row(call, status=answer.status, body=answer.body, resource=answer.resource)
        statement.add("key", INSERT_KEY, [row])
    return answer


def write(statement: Statement, changed: list[Account]) -> None:
    """Run the statement, and tell after commit which balances have changed.

    Refuses with IdempotencyInProgress when the key's first call still runs. Raises LostLock when it touches other
    rows than it names.
    """
    with key_lock_timeout():
        touched = run(statement.text(), statement.parameters)[0]
    if list(touched) != statement.expected:
        raise LostLock(f"expected {statement.expected} rows, touched {touched}")
    if changed:
        transaction.on_commit(
            lambda: wallet_balance_changed.send(sender=Account, accounts=changed), robust=True
        )

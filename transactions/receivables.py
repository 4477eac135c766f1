"""What customers owe us: money that was taken back from us after they had spent it.

The account's floor is lowered by just what is missing, so that the debit can stand in the book. From then on each
amount that comes in pays the debt first: a trigger raises the floor by as much, in the statement that posts it.
"""

from transactions.accounts import Account
from transactions.prepared import run


def allow_shortfall(account: Account, amount: int) -> int:
    """Let `amount` minor units leave a locked account although it doesn't cover them; tell what will be missing.

    To be called in the transaction under way, before the debit is posted.
    """
    missing = account.floor - (account.available - amount)
    if missing <= 0:
        return 0
    run(
        "UPDATE transactions_ledgeraccount SET floor = floor - %s, receivable = receivable + %s WHERE id = %s",
        (missing, missing, account.id),
    )
    account.floor -= missing
    account.receivable += missing
    return missing

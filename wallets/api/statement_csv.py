"""A statement as CSV: amounts in major units that a spreadsheet adds up, text that it never runs."""

from collections.abc import Iterator, Sequence
from typing import Any

from transactions.money import Money
from transactions.statements import statement_lines
from users.api.csv_files import text_cell
from wallets.statements import WalletStatement

COLUMNS = (
    "completed_at",
    "type",
    "description",
    "reference",
    "amount",
    "currency",
    "balance_after",
    "transaction_id",
    "transfer_id",
)


def statement_rows(statement: WalletStatement) -> Iterator[Sequence[Any]]:
    """Give the header, the opening balance, the lines and the closing balance, in the customer's time zone."""
    figures, currency = statement.figures, statement.currency

    def edge(moment: Any, kind: str, balance: int) -> Sequence[Any]:
        at = moment.astimezone(statement.zone).isoformat()
        return (at, kind, "", "", "", currency, Money(balance, currency).major, "", "")

    yield COLUMNS
    yield edge(figures.starts, "opening_balance", figures.opening_balance)
    for line in statement_lines(figures, using=statement.using):
        yield (
            line.completed_at.astimezone(statement.zone).isoformat() if line.completed_at else "",
            line.type,
            text_cell(line.description),
            text_cell(line.reference),
            Money(line.amount, currency).major,
            currency,
            Money(line.balance_after or 0, currency).major,
            line.id,
            line.transfer_id,
        )
    yield edge(figures.ends, "closing_balance", figures.closing_balance)

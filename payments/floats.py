"""What the wallets of each currency hold, what the rest of the ledger says they hold, and what each account is held to.

That takes one pass over all accounts: the minute's roll-up makes it and keeps what it found, with the moment; whoever reads
is told that moment. What was never counted is counted at once, so that nobody reads a zero which only means "not yet".
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from payments.hour_figures import ask
from transactions.integrity import BREAKS_CREDIT_LINE, BREAKS_FLOOR

# These read the accounts alone; `check_books` runs the others, which read each line of the book.
CHEAP_PROOFS: Final = ("float_is_ledger", "floors_hold", "debts_are_below_the_credit_line")

LATE_AFTER: Final = timedelta(minutes=5)
"""The roll-up runs by the minute: what is older than this isn't how things stand now."""

# One statement reads both sides, deltas that wait to be rolled up included, so that money under way is on either both
# sides or none.
_COUNT: Final = (
    "SELECT currency, coalesce(sum(balance) FILTER (WHERE NOT rolled_up), 0)::bigint AS wallets,"  # noqa: S608 - constants alone
    " -(coalesce(sum(balance) FILTER (WHERE rolled_up), 0))::bigint AS ledger,"
    " coalesce(bool_or(breaks_floor), false) AS breaks_floor,"
    " coalesce(bool_or(breaks_credit_line), false) AS breaks_credit_line FROM ("
    f" SELECT currency, rolled_up, balance, ({BREAKS_FLOOR}) AS breaks_floor,"
    f"   ({BREAKS_CREDIT_LINE}) AS breaks_credit_line FROM transactions_ledgeraccount UNION ALL"
    " SELECT a.currency, true, d.amount, false, false FROM transactions_delta AS d"
    "   JOIN transactions_ledgeraccount AS a ON a.id = d.account_id) AS book GROUP BY currency ORDER BY currency"
)
# Of two that count at once, the later one stands, currency by currency.
_KEEP: Final = (
    "INSERT INTO payments_currencyfloat AS kept"  # noqa: S608 - constants alone
    " (currency, wallets, ledger, breaks_floor, breaks_credit_line, counted_at)"
    f" SELECT counted.*, statement_timestamp() FROM ({_COUNT}) AS counted ORDER BY currency"
    " ON CONFLICT (currency) DO UPDATE SET wallets = EXCLUDED.wallets, ledger = EXCLUDED.ledger,"
    "   breaks_floor = EXCLUDED.breaks_floor, breaks_credit_line = EXCLUDED.breaks_credit_line,"
    "   counted_at = EXCLUDED.counted_at WHERE kept.counted_at < EXCLUDED.counted_at RETURNING currency"
)
# By the database's clock alone: servers' clocks differ, and a sandbox's runs ahead.
_KEPT: Final = (
    "SELECT currency, wallets, ledger, breaks_floor, breaks_credit_line,"
    " statement_timestamp() - min(counted_at) OVER () FROM payments_currencyfloat ORDER BY currency"
)


@dataclass(frozen=True, slots=True)
class CurrencyFloat:
    """One currency, in minor units: what is owed to its wallets, and what the other accounts say that it is."""

    currency: str
    wallets: int
    ledger: int
    breaks_floor: bool
    breaks_credit_line: bool

    @property
    def difference(self) -> int:
        """What the wallets hold more than the ledger says: 0, or the books are wrong."""
        return self.wallets - self.ledger


@dataclass(frozen=True, slots=True)
class Floats:
    """Every currency as it stood `age` ago, the one that was counted longest ago."""

    currencies: tuple[CurrencyFloat, ...]
    age: timedelta

    @property
    def is_late(self) -> bool:
        """Whether they are older than the roll-up lets them become."""
        return self.age > LATE_AFTER

    @property
    def broken(self) -> list[str]:
        """The names of the proofs that didn't hold."""
        is_broken = (
            any(each.difference for each in self.currencies),
            any(each.breaks_floor for each in self.currencies),
            any(each.breaks_credit_line for each in self.currencies),
        )
        return [name for name, is_so in zip(CHEAP_PROOFS, is_broken, strict=True) if is_so]


def count_floats() -> int:
    """Read all accounts, and keep what they sum up to; tells of how many currencies."""
    return len(ask(_KEEP, ()))


def known_floats() -> Floats:
    """Give what was counted last; what never was is counted at once."""
    rows = ask(_KEPT, ())
    if rows:
        return Floats(tuple(CurrencyFloat(*row[:5]) for row in rows), max(timedelta(), rows[0][5]))
    return Floats(tuple(CurrencyFloat(*row) for row in ask(_COUNT, ())), timedelta())

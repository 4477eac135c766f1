"""A customer's statement of a wallet: a month or a range of days as their own calendar has it."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from events.clock import now
from transactions.refusals import InvalidInput, NotFound
from transactions.replicas import read_accounts
from transactions.statements import AccountStatement, account_statement
from users.models import User
from wallets.queries import wallet_by_id

FIRST_YEAR, LAST_YEAR = 2000, 2999

_DAY = timedelta(days=1)
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The span `starts <= time < ends`, in UTC; `month` is its first day when it is a whole calendar month."""

    starts: datetime
    ends: datetime
    month: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletStatement:
    """A statement and whose it is; moments are shown in `zone` and numbers in the form of `locale`."""

    wallet_id: UUID
    currency: str
    owner_name: str
    owner_email: str
    zone: ZoneInfo
    locale: str
    period: Period
    figures: AccountStatement
    using: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPeriod:
    """What a client asked for: a month (`2026-10`), or both ends, each a day or a moment.

    Refuses with InvalidInput, naming the field, what means nothing in any time zone.
    """

    month: str | None = None
    starts: date | datetime | None = None
    ends: date | datetime | None = None

    def __post_init__(self) -> None:
        ends = {"from": self.starts, "to": self.ends}
        given = [name for name, point in ends.items() if point is not None]
        if self.month is not None:
            match = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", self.month)
            if match is None or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
                raise InvalidInput("A month is written as 2026-10.", field="month")
            if given:
                raise InvalidInput("Give either a month, or from and to.", field="month")
        elif len(given) < 2:
            missing = ("to" if given == ["from"] else "from") if given else "month"
            raise InvalidInput("Give either a month, or from and to.", field=missing)
        for name, point in ends.items():
            if point is not None and not FIRST_YEAR <= point.year <= LAST_YEAR:
                raise InvalidInput(f"The year is between {FIRST_YEAR} and {LAST_YEAR}.", field=name)

    def within(self, zone: ZoneInfo) -> Period:
        """Find the span in a zone's calendar: a last day is wholly in it, a last moment isn't.

        Refuses with InvalidInput a span that ends before it begins, or hasn't begun yet.
        """
        if self.starts is not None and self.ends is not None:
            is_day = not isinstance(self.ends, datetime)
            starts = _moment(self.starts, zone)
            ends = _moment(self.ends + _DAY if is_day else self.ends, zone)
            if starts >= ends:
                raise InvalidInput("The end must be later than the beginning.", field="to")
            return _begun(Period(starts=starts, ends=ends), field="from")
        first = date.fromisoformat(f"{self.month}-01")
        following = (first + 31 * _DAY).replace(day=1)
        month = Period(starts=_moment(first, zone), ends=_moment(following, zone), month=first)
        return _begun(month, field="month")


def statement_of_wallet(*, wallet_id: UUID, owner_id: UUID | None, asked: AskedPeriod) -> WalletStatement:
    """Sum up a wallet's span of time in its customer's calendar; its lines are read as they are shown.

    Refuses with NotFound a wallet that isn't the owner's, and with InvalidInput a span that can't be.
    """
    wallet = wallet_by_id(wallet_id, owner_id=owner_id)
    if wallet is None:
        raise NotFound
    customer = User.objects.only("name", "email", "time_zone", "locale").get(id=wallet.user_id)
    zone = zone_named(customer.time_zone)
    period = asked.within(zone)
    figures, using = read_accounts(
        [wallet_id],
        lambda using: (
            account_statement(wallet_id, starts=period.starts, ends=period.ends, using=using),
            using,
        ),
    )
    return WalletStatement(
        wallet_id=wallet_id,
        currency=wallet.currency,
        owner_name=customer.name,
        owner_email=customer.email,
        zone=zone,
        locale=customer.locale,
        period=period,
        figures=figures,
        using=using,
    )


def zone_named(name: str) -> ZoneInfo:
    """Find a time zone; UTC where this machine knows none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _UTC


def _begun(period: Period, *, field: str) -> Period:
    if period.starts > now():
        raise InvalidInput("This span has not begun.", field=field)
    return period


def _moment(point: date | datetime, zone: ZoneInfo) -> datetime:
    if isinstance(point, datetime):
        return point.astimezone(UTC)
    return datetime.combine(point, time.min, tzinfo=zone).astimezone(UTC)

"""Pages of the book by keyset: no page counts rows or skips them, the deepest costs what the first does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from transactions.models import PostingStatus
from transactions.prepared import PRIMARY
from transactions.queries import BookLine, account_ids_of, lines_where
from transactions.refusals import InvalidInput

_PENDING, _COMPLETED = 1, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFilter:
    """What a list of lines is narrowed to; None leaves a property open."""

    type: str | None = None
    status: str | None = None
    transfer_id: UUID | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    text: str | None = None

    def conditions(self) -> tuple[list[str], list[Any]]:
        """Give the SQL conditions over l and t, and their parameters."""
        conditions: list[str] = []
        parameters: list[Any] = []
        if self.status is not None:
            # Written out, since a plan that is made once can't tell from a parameter that a partial index serves.
            conditions.append(f"l.status = '{PostingStatus(self.status).value}'")
        for condition, value in (
            ("l.type = %s", self.type),
            ("l.transfer_id = %s", self.transfer_id),
            ("l.created_at >= %s", self.created_from),
            ("l.created_at < %s", self.created_to),
        ):
            if value is not None:
                conditions.append(condition)
                parameters.append(value)
        if self.text:
            conditions.append(
                "(t.reference = %s OR strpos(lower(t.description), lower(%s)) > 0 OR l.id::text = %s)"
            )
            parameters += [self.text, self.text, self.text]
        return conditions, parameters


def wallet_key(line: BookLine) -> tuple[Any, ...]:
    """Name a line within its wallet's history: pending ones by id ahead of completed ones by `seq`."""
    if line.seq is None:
        return (_PENDING, str(line.id))
    return (_COMPLETED, line.seq)


def wallet_history(
    account_id: UUID,
    narrowed: HistoryFilter,
    *,
    key: Sequence[Any] | None,
    is_backwards: bool,
    count: int,
    using: str = PRIMARY,
) -> list[BookLine]:
    """List an account's lines beyond `key`, nearest first: pending ones, then completed ones, newest first.

    Failed and cancelled lines are listed only when `narrowed.status` asks for them. Backwards the order is the
    opposite one. Refuses with InvalidInput when the key isn't one of `wallet_key`.
    """
    rank, mark = _wallet_mark(key)
    fetched: list[BookLine] = []
    sections = [_COMPLETED, _PENDING] if is_backwards else [_PENDING, _COMPLETED]
    for section in sections:
        if rank is not None and section != rank and (section == _PENDING) != is_backwards:
            continue  # wholly on the near side of the key
        if section == _PENDING and narrowed.status == PostingStatus.COMPLETED:
            continue
        if section == _COMPLETED and narrowed.status not in (None, PostingStatus.COMPLETED):
            continue
        room = count - len(fetched)
        if room <= 0:
            break
        beyond = mark if section == rank else None
        fetched += _section(
            account_id, narrowed, section, beyond, is_backwards=is_backwards, count=room, using=using
        )
    return fetched


def _wallet_mark(key: Sequence[Any] | None) -> tuple[int | None, Any]:
    if key is None:
        return None, None
    try:
        rank, mark = key
        return rank, (UUID(mark) if rank == _PENDING else int(mark))
    except (TypeError, ValueError):
        raise InvalidInput("The cursor is not one of this list.", field="cursor") from None


def _section(
    account_id: UUID,
    narrowed: HistoryFilter,
    section: int,
    beyond: Any,
    *,
    is_backwards: bool,
    count: int,
    using: str,
) -> list[BookLine]:
    conditions, parameters = narrowed.conditions()
    conditions.insert(0, "l.account_id = %s")
    parameters.insert(0, account_id)
    column = "l.seq"
    if section == _PENDING:
        column = "l.id"
        if narrowed.status is None:
            conditions.append("l.status = 'pending'")
        else:
            conditions.append("l.status <> 'completed'")
    else:
        conditions.append("l.seq IS NOT NULL")
    if beyond is not None:
        conditions.append(f"{column} {'>' if is_backwards else '<'} %s")
        parameters.append(beyond)
    order = f"{column} {'ASC' if is_backwards else 'DESC'}"
    return lines_where(conditions, parameters, order=order, count=count, using=using)


def line_key(line: BookLine) -> tuple[Any, ...]:
    """Name a line among all lines that one principal may see."""
    return (line.created_at, str(line.id))


def all_history(
    narrowed: HistoryFilter,
    *,
    owner_id: UUID | None,
    account_id: UUID | None,
    key: Sequence[Any] | None,
    is_backwards: bool,
    count: int,
    using: str = PRIMARY,
) -> list[BookLine]:
    """List lines of wallets beyond `key`, nearest first: those of one owner, or of everybody when it is None.

    Refuses with InvalidInput when the key isn't one of `line_key`.
    """
    conditions, parameters = narrowed.conditions()
    mark: tuple[datetime, UUID] | None = None
    if key is not None:
        try:
            moment, line_id = key
            mark = (datetime.fromisoformat(moment), UUID(line_id))
        except (TypeError, ValueError):
            raise InvalidInput("The cursor is not one of this list.", field="cursor") from None
    sign, direction = (">", "ASC") if is_backwards else ("<", "DESC")
    if owner_id is None and account_id is None:
        conditions.append("NOT a.rolled_up")
        if mark is not None:
            conditions.append(f"l.id {sign} %s")
            parameters.append(mark[1])
        return lines_where(conditions, parameters, order=f"l.id {direction}", count=count, using=using)
    found: list[BookLine] = []
    accounts = account_ids_of(owner_id) if owner_id is not None else [account_id]
    for account in accounts:
        if account_id not in (None, account):
            continue
        own, values = ["l.account_id = %s", *conditions], [account, *parameters]
        if mark is not None:
            own.append(f"(l.created_at, l.id) {sign} (%s, %s)")
            values += mark
        order = f"l.created_at {direction}, l.id {direction}"
        found += lines_where(own, values, order=order, count=count, using=using)
    found.sort(key=lambda line: (line.created_at, line.id), reverse=not is_backwards)
    return found[:count]

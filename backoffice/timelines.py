"""One timeline of a wallet or a customer: everything that happened to it, from every table that knows of it.

Each source gives its newest rows before a UUIDv7 and no others, by an index of its own; what is newest of all of
them makes the page. Ids begin with their time, so that one id bounds all sources.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from events.clock import now_of
from events.models import ApiCall, AuditEntry, Event, Notification, WebhookDelivery
from payments.models import Payment, ProviderEvent, Refund
from transactions.models import Hold, Transaction
from users.staff_screens import screen_url

PAGE_SIZE: Final = 40
_GOOD = frozenset({"completed", "succeeded", "captured", "sent", "handled", "active"})
_WAIT = frozenset({"pending", "approved", "processing", "requires_action", "open", "received"})
_BAD = frozenset({"failed", "rejected", "disputed", "suspended", "inactive", "closed"})
_LOOKED = r"\.(viewed|read)$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose timeline it is: the customer's with all wallets, or one wallet's alone (`is_one_wallet`).

    With `request_id` only what that one request has caused. Entries of the audit trail are linked for whoever
    may read them (`may_read_trail`).
    """

    user_id: UUID
    wallet_ids: Sequence[UUID] = ()
    is_one_wallet: bool = False
    request_id: str = ""
    may_read_trail: bool = False

    @property
    def object_ids(self) -> Sequence[UUID]:
        """What the audit trail calls it."""
        return self.wallet_ids if self.is_one_wallet else [*self.wallet_ids, self.user_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened; `amount` is in minor units, signed as the wallet's owner sees it."""

    id: UUID
    at: datetime
    kind: str
    title: str
    status: str = ""
    url: str = ""
    actor: str = ""
    detail: str = ""
    request_id: str = ""
    amount: int | None = None
    currency: str = ""
    follows_request: bool = False

    @property
    def css(self) -> str:
        """The colour of its dot, which the status also says in words."""
        for name, statuses in (("is-good", _GOOD), ("is-wait", _WAIT), ("is-bad", _BAD)):
            if self.status in statuses:
                return name
        return ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page, newest first; `older_than` is the cursor of the next one."""

    happenings: Sequence[Happening] = field(default_factory=tuple)
    older_than: UUID | None = None


Source = Callable[[Subject, UUID | None, int], list[Happening]]


def timeline(subject: Subject, *, kind: str = "", older_than: UUID | None = None) -> Timeline:
    """Read one page of a subject's timeline: of one kind (a key of KINDS), or of all that isn't just looking."""
    sources = [SOURCES[kind]] if kind in SOURCES else [SOURCES[one] for one in KINDS if one != "looks"]
    found = [one for read in sources for one in read(subject, older_than, PAGE_SIZE + 1)]
    newest = nlargest(PAGE_SIZE + 1, found, key=lambda one: one.id)
    cursor = newest[PAGE_SIZE - 1].id if len(newest) > PAGE_SIZE else None
    # An event gets its id when it is published, a moment after it happened.
    page = sorted(newest[:PAGE_SIZE], key=lambda one: (one.at, one.id), reverse=True)
    previous = ""
    for place, one in enumerate(page):
        if one.request_id and one.request_id == previous:
            page[place] = replace(one, follows_request=True)
        previous = one.request_id
    return Timeline(page, cursor)


def in_words(name: str) -> str:
    """Write the name of a type or action as a heading: `payment.status_changed` as "Payment status changed"."""
    return name.replace("_", " ").replace(".", " ").capitalize()


def _before(key: UUID | None) -> dict[str, UUID]:
    return {} if key is None else {"id__lt": key}


def _written_before(key: UUID | None, wallet_id: UUID) -> dict[str, Any]:
    """Bound rows by the index on their time too: a sandbox's clock may run ahead of what is in their ids."""
    if key is None:
        return {}
    ahead = now_of(wallet_id) - datetime.now(UTC) + timedelta(seconds=1)
    return {"id__lt": key, "created_at__lte": moment_of(key) + ahead}


def _money(subject: Subject, before: UUID | None, count: int) -> list[Happening]:
    """Lines of the book: a wallet's come in the order of their time, since they are written under its lock."""
    found: list[Happening] = []
    for wallet_id in subject.wallet_ids:
        lines = Transaction.objects.filter(account_id=wallet_id, **_written_before(before, wallet_id))
        if subject.request_id:
            lines = lines.filter(transfer__request_id=subject.request_id)
        found += [
            Happening(
                id=line.id,
                at=line.created_at,
                kind="money",
                title=in_words(line.type),
                status=line.status,
                url=screen_url("transactions.transaction", line.id),
                actor=line.transfer.actor,
                detail=" · ".join(filter(None, (line.transfer.description, line.transfer.reference))),
                request_id=line.transfer.request_id,
                amount=line.amount,
                currency=line.account.currency,
            )
            for line in lines.select_related("transfer", "account").order_by("-created_at", "-id")[:count]
        ]
        holds = Hold.objects.filter(account_id=wallet_id, **_written_before(before, wallet_id))
        if subject.request_id:
            holds = holds.filter(request_id=subject.request_id)
        found += [
            Happening(
                id=hold.id,
                at=hold.created_at,
                kind="money",
                title=str(_("Hold")),
                status=hold.status,
                url=screen_url("transactions.hold", hold.id),
                actor=hold.actor,
                detail=hold.description,
                request_id=hold.request_id,
                amount=-hold.amount,
                currency=hold.account.currency,
            )
            for hold in holds.select_related("account").order_by("-created_at", "-id")[:count]
        ]
    return found


def _payments(subject: Subject, before: UUID | None, count: int) -> list[Happening]:
    """Charges that were tried, whatever came of them, and refunds."""
    found: list[Happening] = []
    for wallet_id in subject.wallet_ids:
        named: dict[str, Any] = {"wallet_id": wallet_id, **_before(before)}
        if subject.request_id:
            named["request_id"] = subject.request_id
        found += [
            Happening(
                id=payment.id,
                at=payment.created_at,
                kind="payments",
                title=in_words(f"{payment.kind} by {payment.method}"),
                status=payment.status,
                url=screen_url("payments.payment", payment.id),
                actor=payment.actor,
                detail=" · ".join(
                    filter(None, (payment.processor, payment.decline_code, payment.failure_code))
                ),
                request_id=payment.request_id,
                amount=payment.amount,
                currency=payment.currency,
            )
            for payment in Payment.objects.filter(**named).order_by("-id")[:count]
        ]
        found += [
            Happening(
                id=refund.id,
                at=refund.created_at,
                kind="payments",
                title=in_words(f"refund for {refund.reason}"),
                status=refund.status,
                url=screen_url("payments.refund", refund.id),
                detail=" · ".join(filter(None, (refund.decision_reason, refund.failure_code))),
                request_id=refund.request_id,
                amount=refund.amount,
                currency=refund.currency,
            )
            for refund in Refund.objects.filter(**named).order_by("-id")[:count]
        ]
    return found


def _provider_events(subject: Subject, before: UUID | None, count: int) -> list[Happening]:
    """What payment providers told us by webhook, once it was found to be about the wallet."""
    found: list[Happening] = []
    for wallet_id in subject.wallet_ids:
        events = ProviderEvent.objects.filter(wallet_id=wallet_id, **_before(before))
        if subject.request_id:
            events = events.filter(request_id=subject.request_id)
        found += [
            Happening(
                id=event.id,
                at=event.received_at,
                kind="provider",
                title=event.type,
                status=event.status,
                url=screen_url("payments.providerevent", event.id),
                actor=event.provider,
                detail=event.failure,
                request_id=event.request_id,
            )
            for event in events.order_by("-id")[:count]
        ]
    return found


def _api_calls(subject: Subject, before: UUID | None, count: int) -> list[Happening]:
    """Writes over the API, of the customer or to the wallet, refused ones too."""
    calls = ApiCall.objects.filter(**_before(before))
    if subject.request_id:
        calls = calls.filter(request_id=subject.request_id)
    narrowed = [calls.filter(wallet_id=wallet_id) for wallet_id in subject.wallet_ids]
    if not subject.is_one_wallet:
        narrowed.append(calls.filter(principal=f"user:{subject.user_id}"))
    found = {call.id: call for one in narrowed for call in one.order_by("-id")[:count]}
    return [
        Happening(
            id=call.id,
            at=call.at,
            kind="api",
            title=f"{call.method} {call.path}",
            status="succeeded" if call.status < 400 else "failed",
            actor=call.principal,
            detail=" · ".join(
                filter(None, (str(call.status), call.code, f"{call.duration_us / 1000:.0f} ms"))
            ),
            request_id=call.request_id,
        )
        for call in found.values()
    ]


def _webhooks(subject: Subject, before: UUID | None, count: int) -> list[Happening]:
    """Published events, with what became of telling them to endpoints."""
    found: list[Happening] = []
    for wallet_id in subject.wallet_ids:
        events = Event.objects.filter(wallet_id=wallet_id, **_before(before))
        if subject.request_id:
            events = events.filter(request_id=subject.request_id)
        page = list(events.order_by("-position")[:count])
        told: dict[UUID, list[str]] = {}
        deliveries = WebhookDelivery.objects.filter(event_id__in=[event.id for event in page])
        for event_id, status in deliveries.values_list("event_id", "status"):
            told.setdefault(event_id, []).append(status)
        for event in page:
            statuses = told.get(event.id, [])
            worst = next((one for one in ("failed", "pending", "succeeded") if one in statuses), "")
            counted = ", ".join(f"{statuses.count(one)} {one}" for one in dict.fromkeys(statuses))
            found.append(
                Happening(
                    id=event.id,
                    at=event.created_at,
                    kind="webhooks",
                    title=event.type,
                    status=worst,
                    url=screen_url("events.event", event.id),
                    detail=counted,
                    request_id=event.request_id,
                )
            )
    return found


def _emails(subject: Subject, before: UUID | None, count: int) -> list[Happening]:
    """Notices that the customer was sent; on a wallet's timeline those about the wallet."""
    notices = Notification.objects.filter(user_id=subject.user_id, **_before(before))
    if subject.request_id:
        notices = notices.filter(request_id=subject.request_id)
    if subject.is_one_wallet:
        theirs = [str(wallet_id) for wallet_id in subject.wallet_ids]
        notices = notices.filter(Q(facts__wallet_id__in=theirs) | Q(facts__id__in=theirs))
    return [
        Happening(
            id=notice.id,
            at=notice.created_at,
            kind="emails",
            title=in_words(notice.notice),
            status=notice.status,
            detail=notice.last_error,
            request_id=notice.request_id,
        )
        for notice in notices.order_by("-id")[:count]
    ]


def _audited(subject: Subject, before: UUID | None, count: int, *, looks: bool) -> list[Happening]:
    found: list[Happening] = []
    for key in subject.object_ids:
        entries = AuditEntry.objects.filter(object_id=str(key), **_before(before))
        if subject.request_id:
            entries = entries.filter(request_id=subject.request_id)
        is_look = Q(action__regex=_LOOKED)
        entries = entries.filter(is_look if looks else ~is_look)
        found += [
            Happening(
                id=entry.id,
                at=entry.at,
                kind="looks" if looks else "staff",
                title=in_words(entry.action),
                status=entry.to_state,
                url=screen_url("events.auditentry", entry.id) if subject.may_read_trail else "",
                actor=entry.actor,
                detail=entry.reason,
                request_id=entry.request_id,
            )
            for entry in entries.order_by("-id")[:count]
        ]
    return found


def _changes(subject: Subject, before: UUID | None, count: int) -> list[Happening]:
    """What staff, the owner and the system decided, out of the audit trail."""
    return _audited(subject, before, count, looks=False)


def _viewings(subject: Subject, before: UUID | None, count: int) -> list[Happening]:
    """Who looked."""
    return _audited(subject, before, count, looks=True)


def moment_of(key: UUID) -> datetime:
    """Tell when a UUIDv7 was made."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


KINDS: Final[dict[str, str | Promise]] = {
    "money": _("Money"),
    "payments": _("Payments and refunds"),
    "provider": _("Provider events"),
    "api": _("API calls"),
    "webhooks": _("Events and webhooks"),
    "emails": _("E-mails"),
    "staff": _("Changes and staff"),
    "looks": _("Who looked"),
}
SOURCES: Final[dict[str, Source]] = {
    "money": _money,
    "payments": _payments,
    "provider": _provider_events,
    "api": _api_calls,
    "webhooks": _webhooks,
    "emails": _emails,
    "staff": _changes,
    "looks": _viewings,
}

"""What stands in the navigation of every page, for whom, and on which key."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backoffice.session_guard import is_confined
from backoffice.staff_pages import STAFF, is_open_to
from users.models import User

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Entry:
    """One link: `route` is the name of its page, `key` what is typed after `g`, `icon` a shape in icons.svg."""

    label: Text
    route: str
    permissions: tuple[str, ...]
    icon: str
    key: str = ""
    purpose: Text = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Entries that belong together."""

    label: Text
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as one person sees it on one page."""

    entry: Entry
    url: str
    is_current: bool


# Production has no such page.
_OF_SANDBOX: Final = (
    (
        Entry(
            _("Test clock"),
            "backoffice:test-clock",
            ("settings:manage",),
            "clock",
            purpose=_("Move the sandbox’s time forward, and see what falls due"),
        ),
    )
    if settings.SANDBOX
    else ()
)

NAVIGATION: Final[tuple[Section, ...]] = (
    Section(
        _("Overview"),
        (
            Entry(
                _("Home"), "backoffice:home", (STAFF,), "home", "h", _("Everything that you may see and do")
            ),
        ),
    ),
    Section(
        _("Reports"),
        (
            Entry(
                _("Dashboard"),
                "backoffice:dashboard",
                ("report:read",),
                "dashboard",
                "d",
                _("How the business stands, beside the period before"),
            ),
            Entry(
                _("Reconciliation"),
                "backoffice:reconciliation",
                ("report:read",),
                "reconcile",
                "n",
                _("Each processor’s account by day, against the payments behind it"),
            ),
        ),
    ),
    Section(
        _("People and wallets"),
        (
            Entry(
                _("Customers"),
                "backoffice:customers",
                ("customer:read",),
                "people",
                "c",
                _("Who they are, and everything that is theirs"),
            ),
            Entry(
                _("Wallets"),
                "backoffice:wallets",
                ("wallet:read",),
                "wallet",
                "w",
                _("Customers’ money, one wallet for each currency"),
            ),
        ),
    ),
    Section(
        _("Money"),
        (
            Entry(
                _("Transfers"),
                "backoffice:transfers",
                ("transaction:read",),
                "transfer",
                "f",
                _("Balanced movements of money"),
            ),
            Entry(
                _("Transactions"),
                "backoffice:transactions",
                ("transaction:read",),
                "list",
                "t",
                _("Each account’s line of each movement"),
            ),
            Entry(
                _("Payments"),
                "backoffice:payments",
                ("payment:read",),
                "card",
                "p",
                _("Charges of cards and phones, and what became of them"),
            ),
            Entry(
                _("Holds"),
                "backoffice:holds",
                ("wallet:read",),
                "freeze",
                "i",
                _("Money set aside until it is captured, voided or its time is over"),
            ),
            Entry(
                _("Refunds"),
                "backoffice:refunds",
                ("refund:read",),
                "refund",
                "r",
                _("Money that goes back, asked for by one person and decided by another"),
            ),
            Entry(
                _("Adjustments"),
                "backoffice:adjustments",
                ("adjustment:request", "adjustment:decide", "audit:read"),
                "adjust",
                "j",
                _("Corrections of balances, asked for by one person and decided by another"),
            ),
        ),
    ),
    Section(
        _("Cards and top-ups"),
        (
            Entry(
                _("Payment sessions"),
                "backoffice:payment-sessions",
                ("payment:read",),
                "session",
                "s",
                _("What customers are about to pay by phone"),
            ),
            Entry(
                _("Cards and phones"),
                "backoffice:cards",
                ("token:read",),
                "card",
                "k",
                _("Saved cards by their last four digits"),
            ),
            Entry(
                _("Top-up rules"),
                "backoffice:top-up-rules",
                ("payment:read",),
                "topup",
                "y",
                _("What customers have agreed to be charged for by itself"),
            ),
            Entry(
                _("Top-up schedules"),
                "backoffice:top-up-schedules",
                ("payment:read",),
                "clock",
                "l",
                _("Rules that go by the calendar, and the next day of each"),
            ),
            Entry(
                _("Top-up failures"),
                "backoffice:top-up-failures",
                ("payment:read",),
                "failed",
                "b",
                _("What wasn’t charged, why, and when it is tried again"),
            ),
        ),
    ),
    Section(
        _("Control"),
        (
            Entry(
                _("Provider events"),
                "backoffice:provider-events",
                ("payment:read",),
                "event",
                "v",
                _("What payment providers told us by webhook, and working it off again"),
            ),
            Entry(
                _("Webhook deliveries"),
                "admin:events_webhookdelivery_changelist",
                ("event:read",),
                "webhook",
                "o",
                _("What was sent to client applications, and sending it again"),
            ),
            Entry(
                _("Failed work"),
                "admin:events_failedwork_changelist",
                (STAFF,),
                "failed",
                "x",
                _("What keeps failing, and having it tried again"),
            ),
            Entry(
                _("Staff"),
                "backoffice:staff",
                ("staff:manage", "audit:read"),
                "staff",
                "q",
                _("Who works here, in which role, and how they log in"),
            ),
            Entry(
                _("Files"),
                "backoffice:files",
                ("report:read",),
                "download",
                "e",
                _("Exports that were made in the background"),
            ),
            Entry(
                _("Audit"),
                "admin:events_auditentry_changelist",
                ("audit:read",),
                "audit",
                "u",
                _("Who changed or looked at what, when, from where and why"),
            ),
            Entry(
                _("All records"),
                "admin:records",
                (STAFF,),
                "records",
                "a",
                _("The tables behind the pages, as they stand"),
            ),
            *_OF_SANDBOX,
        ),
    ),
)


def navigation(request: HttpRequest) -> Sequence[tuple[Section, Sequence[Link]]]:
    """Give the sections with the links that whoever is logged in may follow; sections without any are left out."""
    person = request.user
    if not isinstance(person, User) or not person.is_active or not person.is_staff or is_confined(request):
        return ()
    # Django's screens stand below `/admin/transactions/`, too, where their app is called like a page of ours.
    found = request.resolver_match
    kind = found.namespace if found else ""
    shown = [(section, list(_links(section, person, request.path, kind))) for section in NAVIGATION]
    return [(section, links) for section, links in shown if links]


def _links(section: Section, person: User, path: str, kind: str) -> Iterator[Link]:
    home = reverse("backoffice:home")
    for entry in section.entries:
        if is_open_to(person, entry.permissions):
            url = reverse(entry.route)
            is_below = url != home and path.startswith(url) and entry.route.startswith(f"{kind}:")
            yield Link(entry, url, path == url or is_below)

"""Finding by what was quoted, without being told what it is: each look-up is exact or a beginning, and on an index."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet, Value
from django.utils.safestring import SafeString

from backoffice.search.kinds import KINDS, Kind
from backoffice.staff_pages import is_open_to
from events.models import OutboxEntry
from tokens.fingerprints import reference_digest
from tokens.models import DELETED, PaymentToken
from transactions.models import IdempotencyKey
from users.finding import find_people
from users.models import User

HITS_SHOWN: Final = 6
LONGEST_TERM: Final = 512
# A customer's things of each kind that are shown with the customer.
OWN_SHOWN: Final = 3
# The relay empties the outbox in moments; while it stands still, no more than this is looked through.
OUTBOX_SHOWN: Final = 2_000

_LAST4 = re.compile(r"\d{4}")
_OF_SOMEBODY = re.compile(r"[a-z_]+:(?=[0-9a-fA-F-]{36}$)")
_SHORTEST_BEGINNING: Final = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found, as the page shows it."""

    title: str | SafeString
    key: object
    url: str
    note: SafeString


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one kind; `has_more` when there is more than is shown."""

    kind: Kind
    hits: Sequence[Hit]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Found:
    """All that was found, or the page of the one thing whose own id was quoted."""

    groups: Sequence[Group] = ()
    itself: str = ""


class Findings:
    """Collects what one person may see, each thing once, by kind."""

    def __init__(self, person: User) -> None:
        self.person = person
        self.by_kind: dict[str, dict[object, Any]] = {}

    def may_see(self, name: str) -> bool:
        """Tell whether the person may see things of the kind."""
        return name in KINDS and is_open_to(self.person, KINDS[name].permissions)

    def add(self, name: str, *conditions: Q, count: int = HITS_SHOWN + 1, **lookups: object) -> list[Any]:
        """Look for things of one kind; give what was found."""
        if not self.may_see(name):
            return []
        return self.keep(name, list(KINDS[name].rows().filter(*conditions, **lookups)[:count]))

    def keep(self, name: str, rows: list[Any]) -> list[Any]:
        """Show what was found, where the person may see it; give it back in any case."""
        if self.may_see(name):
            self.by_kind.setdefault(name, {}).update({row.pk: row for row in rows})
        return rows

    def groups(self) -> list[Group]:
        """Give what was found in the order of the kinds."""
        found = [(KINDS[name], list(rows.values())) for name, rows in self.by_kind.items() if rows]
        order = list(KINDS)
        return [
            Group(
                kind,
                [Hit(kind.title(row), row.pk, kind.url(row), kind.note(row)) for row in rows[:HITS_SHOWN]],
                len(rows) > HITS_SHOWN,
            )
            for kind, rows in sorted(found, key=lambda pair: order.index(pair[0].name))
        ]


def find(quoted: str, person: User) -> Found:
    """Find by an id of ours or a provider's, an address, a name, four digits, a reference, a key or a request id."""
    term = quoted.strip()
    if not term or "\x00" in term or len(term) > LONGEST_TERM:
        return Found()
    wanted = _uuid(term)
    if wanted is not None:
        itself = _own_page(wanted, person)
        if itself:
            return Found(itself=itself)
    findings = Findings(person)
    if "@" in term and _by_person(findings, term):
        return Found(groups=findings.groups())
    _by_provider(findings, term)
    exact = findings.groups()
    if len(exact) == 1 and len(exact[0].hits) == 1:
        return Found(exact, itself=exact[0].hits[0].url)
    _by_reference(findings, term)
    _by_person(findings, term)
    if _LAST4.fullmatch(term):
        findings.add("token", last4=term)
    return Found(groups=findings.groups())


def _uuid(term: str) -> UUID | None:
    """Read an id, also as an actor's (`user:…`), without hyphens or in capitals."""
    with suppress(ValueError):
        return UUID(_OF_SOMEBODY.sub("", term))
    return None


def _own_page(wanted: UUID, person: User) -> str:
    """Give the page of the thing whose id it is; nothing where there is none that this person may see."""
    open_kinds = [kind for kind in KINDS.values() if is_open_to(person, kind.permissions)]
    # All tables in one round trip; then the one that has it.
    first, *others = (
        kind.rows().filter(pk=wanted).order_by().values_list(Value(number))
        for number, kind in enumerate(open_kinds)
    )
    for (number,) in sorted(first.union(*others, all=True)):
        kind = open_kinds[number]
        url: str = kind.url(kind.rows().get(pk=wanted))
        if url:
            return url
    return ""


def _by_provider(findings: Findings, term: str) -> None:
    """Find what a provider calls by this id."""
    either = Q(processor_reference=term) | Q(processor_key=term)
    findings.add("payment", either)
    findings.add("refund", either)
    findings.add("dispute", processor_reference=term)
    findings.add("provider_event", event_id=term)
    providers = PaymentToken.objects.using("default").order_by("provider").values_list("provider", flat=True)
    digests = [reference_digest(provider=name, ref=term) for name in _each_once(providers)]
    findings.add("token", provider_ref_hmac__in=digests)


def _each_once(ordered: QuerySet[PaymentToken, str]) -> Iterator[str]:
    """Jump along the index from one provider's name to the next."""
    name: str | None = ordered.first()
    while name is not None:
        yield name
        name = ordered.filter(provider__gt=name).first()


def _by_reference(findings: Findings, term: str) -> None:
    """Find by a client's reference, by the key of a call, and by the id of a request."""
    findings.add("transfer", reference=term)
    findings.add("hold", reference=term)
    findings.add("client", client_id=term)
    findings.add("account", code=term)
    keys = IdempotencyKey.objects.using("default").filter(key=term).values_list("resource", flat=True)
    named = {tuple(resource.partition(":")[::2]) for resource in keys[: HITS_SHOWN + 1]}
    named |= set(_named_by_request(findings, term))
    for name, key in sorted(named):
        with suppress(ValidationError):
            findings.add(name, pk=key)


def _named_by_request(findings: Findings, term: str) -> Iterator[tuple[str, str]]:
    """Tell what one request has touched: by the trail, by the events, and by what is still to be published."""
    trail = KINDS["audit_entry"].rows().filter(request_id=term)[: HITS_SHOWN * 2]
    for entry in findings.keep("audit_entry", list(trail)):
        yield entry.object_type, entry.object_id
    published = KINDS["event"].rows().filter(request_id=term)[: HITS_SHOWN * 2]
    latest = OutboxEntry.objects.using("default").order_by("-id")[:OUTBOX_SHOWN]
    waiting = OutboxEntry.objects.using("default").filter(pk__in=latest.values("pk"), request_id=term)
    told = [(event.type, event.data) for event in findings.keep("event", list(published))]
    for kind, data in [*told, *waiting.values_list("kind", "payload")[: HITS_SHOWN * 2]]:
        subject = kind.partition(".")[0]
        touched = data.get("transfer") or data.get("id") or data.get("transfer_id")
        if subject in KINDS and isinstance(touched, str):
            yield subject, touched


def _by_person(findings: Findings, term: str) -> bool:
    """Find people by their address or its beginning, or by words of their name; one alone with what is theirs."""
    if not findings.may_see("user"):
        return False
    people = findings.add("user", email=term.lower())
    if not people and len(term) >= _SHORTEST_BEGINNING and not _LAST4.fullmatch(term):
        people = findings.add("user", pk__in=find_people(term, count=HITS_SHOWN + 1))
    if len(people) == 1:
        key = people[0].pk
        findings.add("wallet", user_id=key)
        findings.add("payment", user_id=key, count=OWN_SHOWN)
        findings.add("token", ~Q(status=DELETED), user_id=key, count=OWN_SHOWN)
    return bool(people)

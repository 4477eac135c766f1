"""What every screen of the back office shares: staff find and look, page by page, and change nothing.

Lists stand newest first by their UUIDv7 key and are paged by it, without COUNT and OFFSET: the last page of a
hundred million lines costs what the first one does. A search takes one exact lookup after another, each of them
on an index, and shows what the first one finds.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from users import trail
from users.colleagues import colleague_names
from users.masking import masked_email
from users.models import User
from users.principals import Principal
from users.roles import SERVICE, STAFF_ROLES, Role

SYSTEM = "system"
OLDER_THAN = "older_than"
NEWER_THAN = "newer_than"
# UUIDs, and whatever else would be wider than a column.
_LONG_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[^@]{41,}")
NOTHING = SafeString('<span class="nothing">–</span>')
# Pages of our own that aren't called like the model; the customer's leads on to staff's where it is one of them.
_PAGES = {"users.user": "customer"}


def screen_url(model: str, key: object) -> str:
    """Give the path of one object's page (`wallets.wallet`), or nothing where that model has none.

    A page of our own, whose route is called like the model, comes before Django's screen.
    """
    page = _PAGES.get(model, model.partition(".")[2])
    for route in (f"backoffice:{page}", f"admin:{model.replace('.', '_')}_change"):
        try:
            return reverse(route, args=[key])
        except NoReverseMatch:
            continue
    return ""


def principal_of(request: HttpRequest) -> Principal:
    """Tell who of the staff is logged in; the use cases read the person again."""
    person = request.user
    if not isinstance(person, User):
        raise PermissionDenied
    return Principal(id=person.id, role=person.role, permissions=frozenset(person.permissions))


def identifier(value: object, *, url: str = "") -> SafeString:
    """Show an id by its ends, whole on hovering, with a button that copies it; linked where `url` is given."""
    if not value:
        return NOTHING
    whole = str(value)
    short = f"{whole[:8]}…{whole[-6:]}" if _LONG_ID.fullmatch(whole) else whole
    shown = (
        format_html('<a class="id" href="{}" title="{}">{}</a>', url, whole, short)
        if url
        else format_html('<span class="id" title="{}">{}</span>', whole, short)
    )
    return format_html(
        '<span class="copyable">{}<button type="button" class="copy" data-copy="{}" aria-label="Copy {}"></button></span>',
        shown,
        whole,
        whole,
    )


def person_cell(person: User) -> SafeString:
    """Show whose it is, linked to their page: a customer masked, one of the staff by the whole address."""
    shown = person.email if person.is_staff else masked_email(person.email)
    return format_html('<a href="{}">{}</a>', screen_url("users.user", person.pk), shown)


def colleague(key: object) -> SafeString:
    """Show one of the staff by name, on hovering by address, and anybody else by id; linked to their page."""
    url = screen_url("users.user", key) if key else ""
    known = colleague_names().get(str(key))
    if known is None:
        return identifier(key, url=url)
    email, name = known
    return format_html('<a class="person" href="{}" title="{}">{}</a>', url, email, name or email)


def actor(name: str) -> SafeString:
    """Show who did it, `role:id` of a principal or a bare name of the system's own, linked to the person."""
    role, _, key = name.partition(":")
    if not key:
        return format_html('<span class="kind">{}</span>', name) if name else NOTHING
    if role == SYSTEM:
        return format_html('<span class="kind">{}</span> {}', role, key.replace("-", " "))
    if role == SERVICE:
        shown = identifier(key, url=screen_url("users.serviceclient", key))
    else:
        shown = colleague(key) if role in STAFF_ROLES else identifier(key, url=screen_url("users.user", key))
    return format_html('<span class="kind">{}</span> {}', "customer" if role == Role.USER else role, shown)


def state(status: str) -> SafeString:
    """Show a status as a coloured label that also says it."""
    return format_html('<span class="state state-{}">{}</span>', status, status.replace("_", " "))


def moment(when: datetime | None) -> SafeString:
    """Show a moment to the second in the session's time zone, to the microsecond and in UTC on hovering."""
    if when is None:
        return NOTHING
    utc, here = when.astimezone(UTC), timezone.localtime(when)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(),
        f"{utc:%Y-%m-%d %H:%M:%S.%f} UTC",
        f"{here.day} {here:%b %Y %H:%M:%S}",
    )


def record_look(request: HttpRequest, what: str, model: str, key: object = "") -> None:
    """Write down that somebody of the staff has looked at a list or a screen, and what was asked for."""
    person = request.user
    if not isinstance(person, User):
        return
    given = request.GET.copy()
    for name in given:
        given.setlist(name, [trail.without_secrets(value) for value in given.getlist(name)])
    asked = given.urlencode()
    trail.record(
        actor=Principal(id=person.id, role=person.role).name,
        action=f"{what}.viewed",
        object_type=model.rpartition(".")[2],
        object_id=key,
        after={"path": request.path, **({"query": asked} if asked else {})},
    )


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that stands large at the head of an object's screen."""

    label: str
    value: SafeString


@dataclass(frozen=True, slots=True)
class Panel:
    """A table under an object: `columns` are (name, CSS class), `more_url` leads to the whole list.

    That list is offered to whoever holds the permission `more_needs`, if one is named.
    """

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]] = field(default_factory=tuple)
    more_url: str = ""
    more_needs: str = ""

    def for_reader(self, reader: User) -> "Panel":
        """Leave the way to the whole list out where the reader may not go there."""
        return self if not self.more_needs or reader.may(self.more_needs) else replace(self, more_url="")

    @property
    def cells_by_row(self) -> list[list[tuple[Any, str]]]:
        """Each row's cells with the CSS class of their column."""
        return [[(cell, css) for cell, (_, css) in zip(row, self.columns, strict=True)] for row in self.rows]


class NewestFirst(ChangeList):
    """A list that is paged by its key."""

    older_url = ""
    newer_url = ""

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Leave the two cursors out of the filters."""
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in (OLDER_THAN, NEWER_THAN)}

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Start from the first page again whenever a filter changes."""
        return super().get_query_string(new_params, [*(remove or ()), OLDER_THAN, NEWER_THAN])

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        """Order by the key, which is the order of time."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read one page and one row more, which tells whether there is another page."""
        size = self.list_per_page
        older_than, newer_than = request.GET.get(OLDER_THAN), request.GET.get(NEWER_THAN)
        try:
            if newer_than:
                rows = list(self.queryset.filter(pk__gt=newer_than).order_by("pk")[: size + 1])
                page = rows[:size][::-1]
                has_newer, has_older = len(rows) > size, True
            else:
                queryset = self.queryset.filter(pk__lt=older_than) if older_than else self.queryset
                rows = list(queryset[: size + 1])
                page = rows[:size]
                has_newer, has_older = bool(older_than), len(rows) > size
        except (ValidationError, ValueError) as malformed:
            raise IncorrectLookupParameters(malformed) from malformed
        if page and has_newer:
            self.newer_url = self.get_query_string({NEWER_THAN: page[0].pk})
        if page and has_older:
            self.older_url = self.get_query_string({OLDER_THAN: page[-1].pk})
        self.result_list = page
        self.result_count = len(page)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = False
        self.paginator = None


class StaffScreen(admin.ModelAdmin[Any]):
    """One model that staff may find and look at; `purpose` says on the first page what it is for.

    Any one of `permissions` opens it; where none is named, all of the staff may look. `list_page` is the route of
    the page of our own that lists these rows: the list leads there.
    """

    purpose = ""
    permissions: ClassVar[Sequence[str]] = ()
    list_page = ""
    id_lookups: ClassVar[Sequence[str]] = ("pk",)
    email_lookups: ClassVar[Sequence[str]] = ()
    text_lookups: ClassVar[Sequence[str]] = ()

    actions = None
    empty_value_display = NOTHING
    list_display_links = None
    list_per_page = 50
    search_fields = ("pk",)  # shows the box; the lookups above decide what it searches
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Those of the staff look whose role holds one of the screen's permissions."""
        person = request.user
        if not isinstance(person, User) or not super().has_view_permission(request, obj):
            return False
        return not self.permissions or any(person.may(one) for one in self.permissions)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds here: a use case does."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes here: a use case does."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Page by the key."""
        return NewestFirst

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Show every field as text."""
        return tuple(name for _, options in self.get_fieldsets(request, obj) for name in options["fields"])

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Take the declared groups, or all `fields` as one."""
        return self.fieldsets or [(None, {"fields": self.fields or ()})]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by what the term looks like: an id, an e-mail address or another exact name."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "\x00" in term:
            return queryset.none(), False
        for found in self.candidates(queryset, term):
            if found.exists():
                return found, False
        return queryset.none(), False

    def candidates(self, queryset: QuerySet[Any], term: str) -> Iterator[QuerySet[Any]]:
        """Yield what each lookup would find, the likeliest first."""
        try:
            wanted = UUID(term)
        except ValueError:
            lookups, value = (self.email_lookups, term.lower()) if "@" in term else ((), "")
            yield from (queryset.filter(**{lookup: value}) for lookup in lookups)
        else:
            yield from (queryset.filter(**{lookup: wanted}) for lookup in self.id_lookups)
        yield from (queryset.filter(**{lookup: term}) for lookup in self.text_lookups)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a page of the list, and write down that it was looked at; or lead to the page that shows it."""
        if self.list_page:
            return HttpResponseRedirect(reverse(self.list_page))
        shown = super().changelist_view(request, extra_context)
        record_look(request, "list", self.opts.label_lower)
        return shown

    def heading(self, obj: Any) -> str | SafeString:
        """Name one object at the head of its screen."""
        return str(obj)

    def figures(self, obj: Any) -> Sequence[Figure]:
        """Give the numbers that matter most."""
        return ()

    def panels(self, obj: Any) -> Sequence[Panel]:
        """Give the tables under the object."""
        return ()

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002 - Django's own signature
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Model | None = None,
    ) -> HttpResponse:
        """Add what this screen shows beside the fields."""
        reader = request.user
        if obj is not None and isinstance(reader, User):
            record_look(request, "screen", self.opts.label_lower, obj.pk)
            context |= {
                "title": self.heading(obj),
                "figures": self.figures(obj),
                "panels": [panel.for_reader(reader) for panel in self.panels(obj)],
                "key": obj.pk,
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

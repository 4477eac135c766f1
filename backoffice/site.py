"""The back office: where staff find every wallet, movement and person, and what has happened to them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from backoffice.explanations import explained_balance
from users import trail
from users.models import User
from users.principals import Principal
from users.staff_screens import StaffScreen, record_look, screen_url

SEARCH_HITS_SHOWN = 5
# Names of Django's routes that aren't served: staff change their passwords where sessions are revoked with them.
NOT_SERVED = frozenset({"password_change", "password_change_done"})


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that a search has found."""

    name: str
    key: object
    url: str


class BackofficeSite(admin.AdminSite):
    """Django's admin in this project's dress, with one search over everything."""

    site_title = "Open Wallet"
    site_header = "Open Wallet"
    index_title = "Back office"
    enable_nav_sidebar = True
    index_template = "admin/index.html"

    GROUPS: ClassVar[Sequence[tuple[str, Sequence[str]]]] = (
        (
            "Money",
            (
                "wallets.wallet",
                "transactions.transfer",
                "transactions.transaction",
                "payments.payment",
                "payments.refund",
            ),
        ),
        ("People", ("users.user", "tokens.paymenttoken", "users.serviceclient")),
        ("Books", ("transactions.ledgeraccount", "wallets.adjustment")),
        (
            "Record",
            (
                "events.auditentry",
                "events.event",
                "events.webhookendpoint",
                "events.webhookdelivery",
                "events.notification",
                "events.failedwork",
            ),
        ),
    )

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Add the search, the list of all records and the explained balances to Django's routes."""
        explain = "wallets/wallet/<uuid:wallet_id>/explain/"
        served = [url for url in super().get_urls() if getattr(url, "name", None) not in NOT_SERVED]
        return [
            path("search/", self.admin_view(self.search), name="search"),
            path("records/", self.admin_view(self.index), name="records"),
            path(explain, self.admin_view(explained_balance), name="wallet_explained"),
            *served,
        ]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Group the screens by what they are about rather than by the app that owns them."""
        found = {
            f"{app['app_label']}.{model['object_name'].lower()}": model
            | {"purpose": self._purpose(model["model"])}
            for app in super().get_app_list(request, app_label)
            for model in app["models"]
        }
        groups = [(name, [found.pop(key) for key in keys if key in found]) for name, keys in self.GROUPS]
        return [
            {
                "name": name,
                "app_label": name.lower(),
                "app_url": "",
                "has_module_perms": True,
                "models": models,
            }
            for name, models in [*groups, ("More", list(found.values()))]
            if models
        ]

    def _purpose(self, model: Any) -> str:
        return str(getattr(self._registry[model], "purpose", ""))

    def _screens(self) -> Iterator[StaffScreen]:
        """Yield the screens in the order of the groups, those of any other app at the end."""
        order = [key for _, keys in self.GROUPS for key in keys]
        place = {key: index for index, key in enumerate(order)}
        screens = {
            model._meta.label_lower: screen
            for model, screen in self._registry.items()
            if isinstance(screen, StaffScreen)
        }
        yield from (
            screens[label] for label in sorted(screens, key=lambda label: place.get(label, len(order)))
        )

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Ask who it is, and write down who came in."""
        answered = super().login(request, extra_context)
        if request.method == "POST" and isinstance(answered, HttpResponseRedirect):
            _record_session(request, "session.opened", from_state="", to_state="open")
        return answered

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Write down who leaves, and let them out."""
        if request.method == "POST":
            _record_session(request, "session.ended", from_state="open", to_state="ended")
        return super().logout(request, extra_context)

    def search(self, request: HttpRequest) -> HttpResponse:
        """Look for an id, an e-mail address or a reference everywhere; a single thing found is opened at once."""
        term = request.GET.get("q", "").strip()
        groups, itself = [], ""
        for screen in self._screens() if term else ():
            if not screen.has_view_permission(request):
                continue
            found, _ = screen.get_search_results(request, screen.get_queryset(request).order_by("-pk"), term)
            hits = [
                Hit(screen.heading(hit), hit.pk, screen_url(screen.opts.label_lower, hit.pk))
                for hit in found[:SEARCH_HITS_SHOWN]
            ]
            itself = itself or next((hit.url for hit in hits if str(hit.key) == term.lower()), "")
            if hits:
                list_url = reverse(f"admin:{screen.opts.app_label}_{screen.opts.model_name}_changelist")
                groups.append({"name": screen.opts.verbose_name_plural, "hits": hits, "list_url": list_url})
        if term:
            record_look(request, "search", "everything")
        if itself:
            return HttpResponseRedirect(itself)
        context = {**self.each_context(request), "title": "Search", "term": term, "groups": groups}
        return TemplateResponse(request, "admin/search.html", context)


def _record_session(request: HttpRequest, action: str, *, from_state: str, to_state: str) -> None:
    person = request.user
    if isinstance(person, User):
        trail.record(
            actor=Principal(id=person.id, role=person.role).name,
            action=action,
            object_type="user",
            object_id=person.id,
            from_state=from_state,
            to_state=to_state,
            after={"path": request.path},
        )

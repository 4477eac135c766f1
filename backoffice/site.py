"""The back office: where staff find every wallet, movement and person, and what has happened to them."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from users.staff_screens import StaffScreen, screen_url

SEARCH_HITS_SHOWN = 5
# Names of Django's routes that aren't served: staff change their passwords where sessions are revoked with them.
NOT_SERVED = frozenset({"password_change", "password_change_done"})


def standing(request: HttpRequest) -> dict[str, Any]:
    """Tell every page whether the money is real; a template context processor."""
    return {"sandbox": settings.SANDBOX}


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
            ("wallets.wallet", "transactions.transfer", "transactions.transaction", "payments.payment"),
        ),
        ("People", ("users.user", "tokens.paymenttoken", "users.serviceclient")),
        ("Books", ("transactions.ledgeraccount", "wallets.adjustment")),
        ("Record", ("events.auditentry", "events.event")),
    )

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Add the search to Django's routes."""
        served = [url for url in super().get_urls() if getattr(url, "name", None) not in NOT_SERVED]
        return [path("search/", self.admin_view(self.search), name="search"), *served]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Group the screens by what they are about rather than by the app that owns them."""
        found = {
            f"{app['app_label']}.{model['object_name'].lower()}": model
            | {"purpose": self._purpose(model["model"])}
            for app in super().get_app_list(request, app_label)
            for model in app["models"]
        }
        groups = [
            {"name": name, "models": [found.pop(key) for key in keys if key in found]}
            for name, keys in self.GROUPS
        ]
        if found:
            groups.append({"name": "More", "models": list(found.values())})
        return [
            group | {"app_label": group["name"].lower(), "app_url": "", "has_module_perms": True}
            for group in groups
            if group["models"]
        ]

    def _purpose(self, model: Any) -> str:
        return str(getattr(self._registry[model], "purpose", ""))

    def _screens(self) -> Iterator[StaffScreen]:
        """Yield the screens in the order of the groups, those of any other app at the end."""
        order = [key for _, keys in self.GROUPS for key in keys]
        screens = [screen for screen in self._registry.values() if isinstance(screen, StaffScreen)]
        place = {key: index for index, key in enumerate(order)}
        yield from sorted(screens, key=lambda screen: place.get(screen.opts.label_lower, len(order)))

    def search(self, request: HttpRequest) -> HttpResponse:
        """Look for an id, an e-mail address or a reference everywhere; a single thing found is opened at once."""
        term = request.GET.get("q", "").strip()
        groups = []
        for screen in self._screens() if term else ():
            if not screen.has_view_permission(request):
                continue
            found, _ = screen.get_search_results(request, screen.get_queryset(request).order_by("-pk"), term)
            hits = [
                {
                    "name": screen.heading(hit),
                    "key": hit.pk,
                    "url": screen_url(screen.opts.label_lower, hit.pk),
                }
                for hit in found[:SEARCH_HITS_SHOWN]
            ]
            if hits:
                list_url = reverse(f"admin:{screen.opts.app_label}_{screen.opts.model_name}_changelist")
                groups.append({"name": screen.opts.verbose_name_plural, "hits": hits, "list_url": list_url})
        itself = [hit for group in groups for hit in group["hits"] if str(hit["key"]) == term.lower()]
        if itself:
            return HttpResponseRedirect(itself[0]["url"])
        context = {**self.each_context(request), "title": "Search", "term": term, "groups": groups}
        return TemplateResponse(request, "admin/search.html", context)

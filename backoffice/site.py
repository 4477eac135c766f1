"""The back office: where staff find every wallet, movement and person, and what has happened to them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path

from backoffice import session_guard
from backoffice.login_form import StaffLoginForm

# Names of Django's routes that aren't served: staff change their passwords where sessions are revoked with them.
NOT_SERVED = frozenset({"password_change", "password_change_done"})


class BackofficeSite(admin.AdminSite):
    """Django's admin in this project's dress, beside staff's own pages."""

    site_title = "Open Wallet"
    site_header = "Open Wallet"
    index_title = "Back office"
    enable_nav_sidebar = True
    index_template = "admin/index.html"
    login_form = StaffLoginForm

    GROUPS: ClassVar[Sequence[tuple[str, Sequence[str]]]] = (
        (
            "Money",
            (
                "transactions.transfer",
                "transactions.transaction",
            ),
        ),
        ("People", ("users.user", "tokens.paymenttoken", "users.serviceclient")),
        ("Books", ("transactions.ledgeraccount",)),
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
        """Add the list of all records to Django's routes."""
        served = [url for url in super().get_urls() if getattr(url, "name", None) not in NOT_SERVED]
        return [
            path("records/", self.admin_view(self.index), name="records"),
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

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Ask who it is, and write down who comes in."""
        shown = {
            **(extra_context or {}),
            "ended": request.GET.get("ended", ""),
            "idle_minutes": -(-settings.STAFF_IDLE_S // 60),
        }
        answered = super().login(request, shown)
        form = getattr(answered, "context_data", {}).get("form")
        if refusal := getattr(form, "lockout", None):
            answered.status_code = 429
            answered.headers["Retry-After"] = refusal.headers["Retry-After"]
        return answered

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Write down who leaves, and let them out."""
        if request.method == "POST":
            session_guard.close_session(request)
        return super().logout(request, extra_context)

"""Webhook endpoints and deliveries in the back office: what was sent, what came of it, and the button to send it again."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.deliveries import redeliver
from events.doorbells import ring
from events.models import WebhookDelivery, WebhookEndpoint
from events.screens import audit_panel, document
from users.refusals import Refusal
from users.staff_screens import (
    NOTHING,
    Panel,
    StaffScreen,
    actor,
    identifier,
    moment,
    principal_of,
    screen_url,
    state,
)

MAY_REDELIVER = "webhook:manage"
DELIVERIES_SHOWN = 20


class WebhookEndpointScreen(StaffScreen):
    """Where programs want events sent."""

    permissions = ("event:read",)
    purpose = "Where programs want events sent, and how that goes"
    list_display = ("endpoint", "status_label", "made_by", "types", "created")
    list_filter = ("status",)
    search_help_text = "Endpoint id, its URL, or who made it (service:id)"
    text_lookups = ("url", "owner")
    fieldsets = (
        (
            "Where",
            {"fields": ("url", "description", "status_label", "disabled_reason", "made_by", "customer")},
        ),
        ("What", {"fields": ("types",)}),
        (
            "How it goes",
            {"fields": ("failures_in_a_row", "rests_until", "old_secret_until", "created", "changed")},
        ),
    )

    @admin.display(description="endpoint")
    def endpoint(self, endpoint: WebhookEndpoint) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', screen_url("events.webhookendpoint", endpoint.id), endpoint.url
        )

    @admin.display(description="status")
    def status_label(self, endpoint: WebhookEndpoint) -> SafeString:
        return state(endpoint.status)

    @admin.display(description="made by")
    def made_by(self, endpoint: WebhookEndpoint) -> SafeString:
        return actor(endpoint.owner)

    @admin.display(description="only of customer")
    def customer(self, endpoint: WebhookEndpoint) -> SafeString:
        return identifier(endpoint.user_id, url=screen_url("users.user", endpoint.user_id))

    @admin.display(description="event types")
    def types(self, endpoint: WebhookEndpoint) -> str:
        return "all" if "*" in endpoint.event_types else ", ".join(endpoint.event_types)

    @admin.display(description="rests until")
    def rests_until(self, endpoint: WebhookEndpoint) -> SafeString:
        return moment(endpoint.resting_until)

    @admin.display(description="old secret signs until")
    def old_secret_until(self, endpoint: WebhookEndpoint) -> SafeString:
        return moment(endpoint.previous_secret_until)

    @admin.display(description="created")
    def created(self, endpoint: WebhookEndpoint) -> SafeString:
        return moment(endpoint.created_at)

    @admin.display(description="changed")
    def changed(self, endpoint: WebhookEndpoint) -> SafeString:
        return moment(endpoint.updated_at)

    def heading(self, obj: WebhookEndpoint) -> str:
        return obj.url

    def panels(self, obj: WebhookEndpoint) -> Sequence[Panel]:
        latest = WebhookDelivery.objects.filter(endpoint_id=obj.id).order_by("-id")[:DELIVERIES_SHOWN]
        columns = (("Created", ""), ("Event", ""), ("Status", ""), ("Attempts", "numeric"))
        rows = [
            (
                moment(delivery.created_at),
                identifier(delivery.event_id, url=screen_url("events.webhookdelivery", delivery.id)),
                state(delivery.status),
                delivery.attempts,
            )
            for delivery in latest
        ]
        return (
            Panel("Latest deliveries", columns, rows),
            audit_panel("webhook_endpoint", obj.id),
        )


class WebhookDeliveryScreen(StaffScreen):
    """What was sent to an endpoint, attempt by attempt."""

    permissions = ("event:read",)
    purpose = "Events on their way to endpoints, attempt by attempt"
    list_display = ("delivery", "status_label", "attempts", "endpoint", "wallet", "due", "created")
    list_filter = ("status",)
    search_help_text = "Delivery, event or endpoint id"
    id_lookups = ("pk", "event_id", "endpoint_id")
    fields = (
        "event",
        "event_position",
        "endpoint",
        "wallet",
        "status_label",
        "attempts",
        "due",
        "created",
        "finished",
        "attempt_log",
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the redelivery, ahead of Django's own route for whatever else stands behind an id."""
        again = self.admin_site.admin_view(self.redeliver)
        return [
            path("<uuid:delivery_id>/redeliver/", again, name="events_webhookdelivery_redeliver"),
            *super().get_urls(),
        ]

    def redeliver(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        """Have the delivery sent again by the use case, ring for it, and say so on its screen."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        principal = principal_of(request)
        if not principal.may(MAY_REDELIVER):
            raise PermissionDenied
        try:
            redeliver(delivery_id=delivery_id, owner=None, actor=principal.name)
        except Refusal as refused:
            messages.error(request, refused.detail)
        else:
            ring("events.send_due_webhooks")
            messages.success(request, "It is due now and will be sent again.")
        return HttpResponseRedirect(screen_url("events.webhookdelivery", delivery_id))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the delivery, and the redelivery to those who may have it sent again."""
        context = {"may_redeliver": principal_of(request).may(MAY_REDELIVER)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    @admin.display(description="delivery")
    def delivery(self, delivery: WebhookDelivery) -> SafeString:
        return identifier(delivery.id, url=screen_url("events.webhookdelivery", delivery.id))

    @admin.display(description="event")
    def event(self, delivery: WebhookDelivery) -> SafeString:
        return identifier(delivery.event_id, url=screen_url("events.event", delivery.event_id))

    @admin.display(description="endpoint")
    def endpoint(self, delivery: WebhookDelivery) -> SafeString:
        return identifier(
            delivery.endpoint_id, url=screen_url("events.webhookendpoint", delivery.endpoint_id)
        )

    @admin.display(description="wallet")
    def wallet(self, delivery: WebhookDelivery) -> SafeString:
        return identifier(delivery.wallet_id, url=screen_url("wallets.wallet", delivery.wallet_id))

    @admin.display(description="status")
    def status_label(self, delivery: WebhookDelivery) -> SafeString:
        return state(delivery.status)

    @admin.display(description="next attempt")
    def due(self, delivery: WebhookDelivery) -> SafeString:
        return moment(delivery.due_at)

    @admin.display(description="created")
    def created(self, delivery: WebhookDelivery) -> SafeString:
        return moment(delivery.created_at)

    @admin.display(description="finished")
    def finished(self, delivery: WebhookDelivery) -> SafeString:
        return moment(delivery.finished_at)

    @admin.display(description="attempts, oldest first")
    def attempt_log(self, delivery: WebhookDelivery) -> SafeString:
        return document(delivery.log) if delivery.log else NOTHING

    def heading(self, obj: WebhookDelivery) -> str:
        return f"Delivery {obj.id}"

    def panels(self, obj: WebhookDelivery) -> Sequence[Panel]:
        return (audit_panel("webhook_delivery", obj.id),)

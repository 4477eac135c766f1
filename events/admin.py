"""What happened, in the back office: the audit trail and the published events. Both are only ever appended."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.doorbells import ring
from events.failed_work import MAY_RETRY, retry_work
from events.models import AuditEntry, Event, FailedWork, Notification, WebhookDelivery, WebhookEndpoint
from events.screens import MAY_READ_TRAIL, change_of, document
from events.webhook_screens import WebhookDeliveryScreen, WebhookEndpointScreen
from users.refusals import Refusal as PersonRefusal
from users.staff_screens import (
    NOTHING,
    Figure,
    StaffScreen,
    actor,
    identifier,
    moment,
    person_cell,
    principal_of,
    screen_url,
    state,
)

# Where an object of the audit trail has its screen; others are named without a link.
SCREENS = {
    "auto_top_up": "payments.autotopup",
    "hold": "transactions.hold",
    "payment": "payments.payment",
    "provider_event": "payments.providerevent",
    "refund": "payments.refund",
    "token": "tokens.paymenttoken",
    "transaction": "transactions.transaction",
    "transfer": "transactions.transfer",
    "user": "users.user",
    "wallet": "wallets.wallet",
    "webhook_delivery": "events.webhookdelivery",
    "webhook_endpoint": "events.webhookendpoint",
}

WORK_SCREENS = {
    "notice": "events.notification",
    "payments.payment": "payments.payment",
    "payments.provider_event": "payments.providerevent",
    "payments.refund": "payments.refund",
}


@admin.register(AuditEntry)
class AuditEntryScreen(StaffScreen):
    """Who changed what, when, from where and why."""

    permissions = (MAY_READ_TRAIL,)
    purpose = "Who changed what, when, from where and why"
    list_display = ("when", "action_name", "object_link", "change", "actor_name", "reason", "request")
    search_help_text = "Id of a wallet, a transfer or any other object, an actor, or a request id"
    text_lookups = ("object_id", "request_id", "actor")
    fieldsets = (
        ("About", {"fields": ("when", "action", "object_link", "change", "reason")}),
        ("By whom", {"fields": ("actor_name", "address", "request")}),
        ("What", {"fields": ("state_before", "state_after")}),
    )

    @admin.display(description="when")
    def when(self, entry: AuditEntry) -> SafeString:
        return moment(entry.at)

    @admin.display(description="action")
    def action_name(self, entry: AuditEntry) -> SafeString:
        url = screen_url("events.auditentry", entry.id)
        return format_html('<a href="{}">{}</a>', url, entry.action)

    @admin.display(description="object")
    def object_link(self, entry: AuditEntry) -> SafeString:
        screen = SCREENS.get(entry.object_type)
        url = screen_url(screen, entry.object_id) if screen else ""
        kind = entry.object_type.replace("_", " ")
        return format_html('<span class="kind">{}</span> {}', kind, identifier(entry.object_id, url=url))

    @admin.display(description="change")
    def change(self, entry: AuditEntry) -> str | SafeString:
        return change_of(entry)

    @admin.display(description="by")
    def actor_name(self, entry: AuditEntry) -> SafeString:
        return actor(entry.actor)

    @admin.display(description="request")
    def request(self, entry: AuditEntry) -> SafeString:
        return identifier(entry.request_id)

    @admin.display(description="before")
    def state_before(self, entry: AuditEntry) -> SafeString:
        return document(entry.before)

    @admin.display(description="after")
    def state_after(self, entry: AuditEntry) -> SafeString:
        return document(entry.after)

    def heading(self, obj: AuditEntry) -> str:
        return obj.action


@admin.register(Event)
class EventScreen(StaffScreen):
    """What was published, in its gapless order."""

    permissions = ("event:read",)
    purpose = "What was published to clients, in its gapless order"
    list_display = ("position", "type_name", "wallet", "user", "request", "created")
    search_help_text = "Event, wallet or user id, or a request id"
    id_lookups = ("pk", "wallet_id", "user_id")
    text_lookups = ("request_id",)
    fields = ("type", "wallet", "wallet_seq", "user", "request", "created", "contents")

    @admin.display(description="type")
    def type_name(self, event: Event) -> SafeString:
        return format_html('<a href="{}">{}</a>', screen_url("events.event", event.id), event.type)

    @admin.display(description="wallet")
    def wallet(self, event: Event) -> SafeString:
        return identifier(event.wallet_id, url=screen_url("wallets.wallet", event.wallet_id))

    @admin.display(description="user")
    def user(self, event: Event) -> SafeString:
        return identifier(event.user_id, url=screen_url("users.user", event.user_id))

    @admin.display(description="request")
    def request(self, event: Event) -> SafeString:
        return identifier(event.request_id)

    @admin.display(description="created")
    def created(self, event: Event) -> SafeString:
        return moment(event.created_at)

    @admin.display(description="data")
    def contents(self, event: Event) -> SafeString:
        return document(event.data)

    def heading(self, obj: Event) -> str:
        return obj.type

    def figures(self, obj: Event) -> tuple[Figure, ...]:
        return (Figure("Position", SafeString(f"{obj.position:,}")),)


@admin.register(Notification)
class NotificationScreen(StaffScreen):
    """What customers were told."""

    permissions = ("customer:read",)
    purpose = "What customers were told by e-mail, and whether it reached the mail server"
    list_display = ("notice_link", "person", "status_label", "attempts", "created")
    list_filter = ("status", "notice")
    list_select_related = ("user",)
    search_help_text = "Notice, event or user id, e-mail address, or a request id"
    id_lookups = ("pk", "event_id", "user_id")
    email_lookups = ("user__email",)
    text_lookups = ("request_id",)
    fields = (
        "person",
        "event",
        "status_label",
        "attempts",
        "last_error",
        "due",
        "created",
        "finished",
        "told",
    )

    @admin.display(description="notice")
    def notice_link(self, notice: Notification) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>',
            screen_url("events.notification", notice.id),
            notice.notice.replace("_", " "),
        )

    @admin.display(description="to")
    def person(self, notice: Notification) -> SafeString:
        return person_cell(notice.user)

    @admin.display(description="event")
    def event(self, notice: Notification) -> SafeString:
        return identifier(notice.event_id, url=screen_url("events.event", notice.event_id))

    @admin.display(description="status")
    def status_label(self, notice: Notification) -> SafeString:
        return state(notice.status)

    @admin.display(description="next try (UTC)")
    def due(self, notice: Notification) -> SafeString:
        return moment(notice.due_at) if notice.status == "pending" else NOTHING

    @admin.display(description="created (UTC)")
    def created(self, notice: Notification) -> SafeString:
        return moment(notice.created_at)

    @admin.display(description="finished (UTC)")
    def finished(self, notice: Notification) -> SafeString:
        return moment(notice.finished_at)

    @admin.display(description="facts")
    def told(self, notice: Notification) -> SafeString:
        return document(notice.facts)

    def heading(self, obj: Notification) -> str:
        return obj.notice.replace("_", " ").capitalize()


@admin.register(FailedWork)
class FailedWorkScreen(StaffScreen):
    """Work that keeps failing, and the button that has it tried again."""

    purpose = "Work that keeps failing; it is tried ever more seldom until somebody mends the cause"
    list_display = ("kind_name", "object_name", "tries", "error", "since", "last")
    list_filter = ("kind",)
    search_help_text = "Id of a refund, payment or webhook, the name of a sweep, or a request id"
    text_lookups = ("object_id", "request_id")
    fields = ("kind", "object_name", "tries", "error", "request", "since", "last")

    def get_urls(self) -> list[URLPattern]:
        """Add the retry, ahead of Django's own route for whatever else stands behind an id."""
        retry = self.admin_site.admin_view(self.retry)
        return [path("<uuid:work_id>/retry/", retry, name="events_failedwork_retry"), *super().get_urls()]

    def retry(self, request: HttpRequest, work_id: UUID) -> HttpResponse:
        """Have the work tried again by the use case, ring for it, and say so on the list."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            bell = retry_work(work_id=work_id, principal=principal_of(request))
        except PersonRefusal as refused:
            messages.error(request, refused.detail)
        else:
            if bell is None:
                messages.info(request, "It has been done meanwhile.")
            else:
                task, arguments = bell
                ring(task, *arguments)
                messages.success(request, "It is due now and will be tried again.")
        return HttpResponseRedirect(reverse("admin:events_failedwork_changelist"))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the work, and the retry to those who may have it tried again."""
        context = {"may_retry": principal_of(request).may(MAY_RETRY)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    @admin.display(description="work")
    def kind_name(self, work: FailedWork) -> SafeString:
        return format_html('<a href="{}">{}</a>', screen_url("events.failedwork", work.id), work.kind)

    @admin.display(description="object")
    def object_name(self, work: FailedWork) -> SafeString:
        screen = WORK_SCREENS.get(work.kind)
        return identifier(work.object_id, url=screen_url(screen, work.object_id) if screen else "")

    @admin.display(description="request")
    def request(self, work: FailedWork) -> SafeString:
        return identifier(work.request_id)

    @admin.display(description="failing since (UTC)")
    def since(self, work: FailedWork) -> SafeString:
        return moment(work.first_failed_at)

    @admin.display(description="last failure (UTC)")
    def last(self, work: FailedWork) -> SafeString:
        return moment(work.last_failed_at)


admin.site.register(WebhookEndpoint, WebhookEndpointScreen)
admin.site.register(WebhookDelivery, WebhookDeliveryScreen)

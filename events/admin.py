"""What happened, in the back office: the audit trail and the published events. Both are only ever appended."""

from typing import Any

import orjson
from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.models import AuditEntry, Event
from users.staff_screens import NOTHING, Figure, StaffScreen, actor, identifier, moment, screen_url

# Where an object of the audit trail has its screen; others are named without a link.
SCREENS = {
    "payment": "payments.payment",
    "token": "tokens.paymenttoken",
    "transaction": "transactions.transaction",
    "transfer": "transactions.transfer",
    "user": "users.user",
    "wallet": "wallets.wallet",
}


def document(value: Any) -> SafeString:
    """Show a JSON document, indented."""
    if value is None:
        return NOTHING
    return format_html(
        '<pre class="document">{}</pre>', orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    )


@admin.register(AuditEntry)
class AuditEntryScreen(StaffScreen):
    """Who changed what, when, from where and why."""

    purpose = "Who changed what, when, from where and why"
    list_display = ("when", "action_name", "object_link", "change", "actor_name", "reason", "request")
    search_help_text = "Id of a wallet, a transfer or any other object, an actor, or a request id"
    text_lookups = ("object_id", "request_id", "actor")
    fieldsets = (
        ("About", {"fields": ("when", "action", "object_link", "change", "reason")}),
        ("By whom", {"fields": ("actor_name", "address", "request")}),
        ("What", {"fields": ("state_before", "state_after")}),
    )

    @admin.display(description="when (UTC)")
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
    def change(self, entry: AuditEntry) -> SafeString:
        if not entry.from_state and not entry.to_state:
            return NOTHING
        return format_html("{} → {}", entry.from_state or "–", entry.to_state or "–")

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

    @admin.display(description="created (UTC)")
    def created(self, event: Event) -> SafeString:
        return moment(event.created_at)

    @admin.display(description="data")
    def contents(self, event: Event) -> SafeString:
        return document(event.data)

    def heading(self, obj: Event) -> str:
        return obj.type

    def figures(self, obj: Event) -> tuple[Figure, ...]:
        return (Figure("Position", SafeString(f"{obj.position:,}")),)

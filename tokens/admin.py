"""Saved cards in the back office: to find and to read, and nothing sealed to be seen."""

import re
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.clock import now
from tokens.models import PaymentToken
from users.staff_screens import StaffScreen, identifier, moment, person_cell, screen_url, state


@admin.register(PaymentToken)
class PaymentTokenScreen(StaffScreen):
    """Saved cards, without what is sealed."""

    permissions = ("token:read",)
    list_page = "backoffice:cards"
    purpose = "Saved cards by their last four digits; the numbers stay in the vault"
    list_display = ("token", "owner", "brand", "digits", "expiry", "status_now", "provider", "created")
    list_filter = ("status",)
    list_select_related = ("user",)
    search_help_text = "Token or user id, e-mail address, fingerprint or last four digits"
    id_lookups = ("pk", "user_id")
    email_lookups = ("user__email",)
    text_lookups = ("fingerprint",)
    fieldsets = (
        ("About", {"fields": ("owner", "type", "brand", "digits", "expiry", "fingerprint")}),
        ("Consent", {"fields": ("consent_text", "consented")}),
        ("Life", {"fields": ("status_now", "provider", "created", "deleted", "destroyed")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the sealed columns in the database."""
        tokens = super().get_queryset(request).select_related("user")
        return tokens.defer("provider_ref", "provider_ref_hmac")

    def candidates(self, queryset: QuerySet[Any], term: str) -> Iterator[QuerySet[Any]]:
        """Find by the last four digits as well, which no index knows: they are looked for last."""
        yield from super().candidates(queryset, term)
        if re.fullmatch("[0-9]{4}", term):
            yield queryset.filter(last4=term)

    @admin.display(description="token")
    def token(self, token: PaymentToken) -> SafeString:
        return identifier(token.id, url=screen_url("tokens.paymenttoken", token.id))

    @admin.display(description="owner")
    def owner(self, token: PaymentToken) -> SafeString:
        return person_cell(token.user)

    @admin.display(description="number")
    def digits(self, token: PaymentToken) -> SafeString:
        return format_html('<span class="id">•••• {}</span>', token.last4)

    @admin.display(description="expires")
    def expiry(self, token: PaymentToken) -> str:
        return f"{token.exp_month:02}/{token.exp_year}"

    @admin.display(description="status")
    def status_now(self, token: PaymentToken) -> SafeString:
        return state(token.status_at(now()))

    @admin.display(description="consented")
    def consented(self, token: PaymentToken) -> SafeString:
        return moment(token.consent_at)

    @admin.display(description="created")
    def created(self, token: PaymentToken) -> SafeString:
        return moment(token.created_at)

    @admin.display(description="deleted")
    def deleted(self, token: PaymentToken) -> SafeString:
        return moment(token.deleted_at)

    @admin.display(description="destroyed in the vault")
    def destroyed(self, token: PaymentToken) -> SafeString:
        return moment(token.destroyed_at)

    def heading(self, obj: PaymentToken) -> str:
        return f"{obj.brand.capitalize()} ending in {obj.last4}"

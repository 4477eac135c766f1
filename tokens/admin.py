"""Saved cards in the back office: to be looked up, and nothing sealed to be seen."""

import re
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from events.clock import now
from tokens.models import PaymentToken


@admin.register(PaymentToken)
class PaymentTokenAdmin(admin.ModelAdmin):
    """Read-only; found by id, the owner's id or e-mail address, fingerprint, or the card's last four digits."""

    list_display = ["id", "user", "type", "brand", "last4", "expiry", "status_now", "provider", "created_at"]
    list_filter = ["type", "brand", "status", "provider"]
    list_select_related = ["user"]
    search_fields = ["id"]  # shows the box; what it searches is told below
    search_help_text = "Token or user id, e-mail address, last four digits or fingerprint"
    ordering = ["-id"]
    show_full_result_count = False
    readonly_fields = (
        "id",
        "user",
        "type",
        "brand",
        "last4",
        "expiry",
        "fingerprint",
        "status_now",
        "provider",
        "consent_text",
        "consent_at",
        "created_at",
        "deleted_at",
        "destroyed_at",
    )
    fields = readonly_fields

    @admin.display(description="Expires", ordering="exp_year")
    def expiry(self, token: PaymentToken) -> str:
        """Month and year as the card prints them."""
        return f"{token.exp_month:02}/{token.exp_year}"

    @admin.display(description="Status", ordering="status")
    def status_now(self, token: PaymentToken) -> str:
        """The status as it reads at this moment."""
        return token.status_at(now())

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentToken]:
        """Leave the sealed columns in the database."""
        return super().get_queryset(request).defer("provider_ref", "provider_ref_hmac")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PaymentToken], search_term: str
    ) -> tuple[QuerySet[PaymentToken], bool]:
        """Search by what the term looks like, so that an index finds it."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            wanted = UUID(term)
        except ValueError:
            by_text = Q(last4=term) if re.fullmatch("[0-9]{4}", term) else Q(fingerprint=term.lower())
            return queryset.filter(by_text | Q(user__email=term.lower())), False
        return queryset.filter(Q(id=wanted) | Q(user_id=wanted) | Q(fingerprint=wanted.hex)), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds a card by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: PaymentToken | None = None) -> bool:
        """Nobody changes one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PaymentToken | None = None) -> bool:
        """Nobody deletes one here: the vault's item would stay behind."""
        return False

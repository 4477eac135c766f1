"""Users and service clients in the back office: to find and to read; nothing secret, nothing editable."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from users.models import ServiceClient, User


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """A model that staff may look at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FoundById(ReadOnlyAdmin):
    """Searched by its id as well, whole, without asking every row for a likeness to it."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            return queryset.filter(pk=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)


@admin.register(User)
class UserAdmin(FoundById):
    """Customers and staff."""

    list_display = ["email", "name", "role", "is_active", "created_at"]
    list_filter = ["role", "is_active"]
    search_fields = ["email", "name"]
    search_help_text = "An id, or a part of an e-mail address or a name"
    fields = [
        "id",
        "email",
        "name",
        "role",
        "is_active",
        "time_zone",
        "locale",
        "notifications",
        "created_at",
        "last_login",
        "tokens_valid_from",
    ]


@admin.register(ServiceClient)
class ServiceClientAdmin(FoundById):
    """Programs that call the API."""

    list_display = ["client_id", "name", "is_active", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["client_id", "name"]
    search_help_text = "An id, or a part of a client id or a name"
    fields = ["id", "client_id", "name", "scopes", "is_active", "created_at", "tokens_valid_from"]

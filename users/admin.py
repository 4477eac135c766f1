"""Users and service clients in the back office: to find and to read; nothing secret, nothing editable."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from users.models import ServiceClient, User
from users.roles import STAFF_ROLES
from users.staff_screens import StaffScreen, identifier, moment, screen_url, state


@admin.register(User)
class UserScreen(StaffScreen):
    """The staff; customers are on pages of their own, masked."""

    purpose = "Colleagues: who they are, their roles, and whether they may log in"
    list_display = ("email_link", "name", "role", "standing", "created")
    list_filter = ("role", "is_active")
    search_help_text = "Id or e-mail address of a colleague"
    email_lookups = ("email",)
    fields = (
        "id",
        "email",
        "name",
        "role",
        "standing",
        "time_zone",
        "locale",
        "notifications",
        "created",
        "last_seen",
        "sessions_from",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave customers to their own pages, and the hash of the password in the database."""
        return super().get_queryset(request).filter(role__in=STAFF_ROLES).defer("password")

    @admin.display(description="e-mail")
    def email_link(self, user: User) -> SafeString:
        return identifier(user.email, url=reverse("admin:users_user_change", args=[user.id]))

    @admin.display(description="standing")
    def standing(self, user: User) -> SafeString:
        return state("active" if user.is_active else "inactive")

    @admin.display(description="created")
    def created(self, user: User) -> SafeString:
        return moment(user.created_at)

    @admin.display(description="last log-in to the back office")
    def last_seen(self, user: User) -> SafeString:
        return moment(user.last_login)

    @admin.display(description="sessions count from")
    def sessions_from(self, user: User) -> SafeString:
        return moment(user.tokens_valid_from)


@admin.register(ServiceClient)
class ServiceClientScreen(StaffScreen):
    """Programs that call the API for any customer."""

    permissions = ("staff:manage", "audit:read")
    purpose = "Programs that call the API for any customer"
    list_display = ("client_link", "name", "standing", "created")
    list_filter = ("is_active",)
    search_help_text = "Id or client id of a service client"
    text_lookups = ("client_id",)
    fields = ("id", "client_id", "name", "scopes", "standing", "created", "sessions_from")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the hash of the secret in the database."""
        return super().get_queryset(request).defer("secret_hash")

    @admin.display(description="client id")
    def client_link(self, client: ServiceClient) -> SafeString:
        return identifier(client.client_id, url=screen_url("users.serviceclient", client.id))

    @admin.display(description="standing")
    def standing(self, client: ServiceClient) -> SafeString:
        return state("active" if client.is_active else "inactive")

    @admin.display(description="created")
    def created(self, client: ServiceClient) -> SafeString:
        return moment(client.created_at)

    @admin.display(description="sessions count from")
    def sessions_from(self, client: ServiceClient) -> SafeString:
        return moment(client.tokens_valid_from)

"""Customers over HTTP, for those who look after them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from users import customers
from users.api.answers import answer, resource
from users.api.authentication import caller
from users.api.bodies import StrictBody, TextField
from users.api.keyed_writes import Written, write_once
from users.api.pages import PageQuery, page, seek_rows
from users.api.views import StrictViewSet
from users.customers import as_shown
from users.models import User
from users.standing import ACTIVE, INACTIVE


class CustomerQuery(PageQuery):
    """What the list of customers can be narrowed to."""

    email = serializers.CharField(max_length=254, required=False, help_text="The whole address.")
    status = serializers.ChoiceField(choices=[ACTIVE, INACTIVE], required=False)


class WhyBody(StrictBody):
    """Why, for the audit trail."""

    reason = TextField(max_length=500, required=False, allow_blank=True, default="")


class CorrectionBody(WhyBody):
    """What was wrong; what is left out stays as it is. Another address ends all sessions."""

    email = TextField(max_length=254, required=False)
    name = TextField(max_length=customers.LONGEST_NAME, required=False, allow_blank=True)


class CustomerView(serializers.Serializer[Any]):
    """A customer; sessions from before `sessions_valid_from` have ended."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(choices=[ACTIVE, INACTIVE])
    time_zone = serializers.CharField()
    locale = serializers.CharField()
    created_at = serializers.DateTimeField()
    sessions_valid_from = serializers.DateTimeField(allow_null=True)


class CustomerPage(serializers.Serializer[Any]):
    """A page of customers, newest first."""

    results = CustomerView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class CustomerViewSet(StrictViewSet):
    """Customers: found and read, corrected, switched off and on, signed out everywhere."""

    scopes = {
        "list": "customer:read",
        "retrieve": "customer:read",
        "partial_update": "customer:write",
        "deactivate": "customer:write",
        "reactivate": "customer:write",
        "revoke_sessions": "customer:write",
    }
    keys = dict.fromkeys(("partial_update", "deactivate", "reactivate", "revoke_sessions"), "accepted")

    @extend_schema(parameters=[CustomerQuery], responses=CustomerPage)
    def list(self, request: Request) -> HttpResponse:
        """List customers, newest first."""
        query = CustomerQuery.read(request)
        found = customers.customers(email=query.get("email"), status=query.get("status"))
        return answer(
            page(
                request,
                lambda seek: seek_rows(found, seek, by=["id"]),
                query=query,
                key=lambda one: (str(one.id),),
                shape=as_shown,
            )
        )

    @extend_schema(responses=CustomerView)
    def retrieve(self, request: Request, user_id: UUID) -> HttpResponse:
        """Show one customer."""
        return resource(request, as_shown(customers.customer(user_id)))

    @extend_schema(request=CorrectionBody, responses=CustomerView)
    def partial_update(self, request: Request, user_id: UUID) -> HttpResponse:
        """Correct a customer's e-mail address or name."""
        body = CorrectionBody.read(request)
        return _written(
            request,
            lambda: customers.correct_customer(customer_id=user_id, actor=caller(request).name, **body),
        )

    @extend_schema(request=WhyBody, responses=CustomerView)
    def deactivate(self, request: Request, user_id: UUID) -> HttpResponse:
        """Switch a customer off: no log-in, no refresh. The wallets stay as they are."""
        return _decided(request, customers.deactivate_customer, user_id)

    @extend_schema(request=WhyBody, responses=CustomerView)
    def reactivate(self, request: Request, user_id: UUID) -> HttpResponse:
        """Switch a customer on again."""
        return _decided(request, customers.reactivate_customer, user_id)

    @extend_schema(request=WhyBody, responses=CustomerView)
    def revoke_sessions(self, request: Request, user_id: UUID) -> HttpResponse:
        """End every session of a customer; access tokens that are out end within minutes."""
        return _decided(request, customers.revoke_customers_sessions, user_id)


def _decided(request: Request, decide: Callable[..., User], user_id: UUID) -> HttpResponse:
    reason = WhyBody.read(request)["reason"]
    return _written(request, lambda: decide(customer_id=user_id, actor=caller(request).name, reason=reason))


def _written(request: Request, write: Callable[[], User]) -> HttpResponse:
    def once() -> Written:
        one = write()
        return Written(status=200, data=as_shown(one), resource=f"user:{one.id}")

    return write_once(request, once)

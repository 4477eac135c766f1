"""Top-up rules over HTTP: one for each wallet."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from events.doorbells import ring
from payments.models import AutoTopUp
from payments.schedules import WEEKDAYS, schedule_of
from payments.tasks import TOP_UP_BELL
from payments.top_up_previews import preview_rule
from payments.top_up_rules import (
    Terms,
    as_shown,
    pause_rule,
    remove_rule,
    resume_rule,
    rule_of_wallet,
    set_rule,
)
from transactions.api.amounts import AmountField
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.idempotency import Answer, resource_id
from users.api.answers import answer, json_bytes, resource
from users.api.authentication import caller
from users.api.bodies import FlagField, StrictBody
from users.api.views import StrictViewSet


class DayField(serializers.IntegerField):
    """A day of the month, 1 to 31; no float, string or boolean."""

    default_error_messages = {"not_integer": "A day is an integer from 1 to 31."}

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=31, **options)

    def to_internal_value(self, data: Any) -> int:
        """Read the day. Refuses everything but JSON integers."""
        if type(data) is not int:
            self.fail("not_integer")
        return data


class ScheduleBody(StrictBody):
    """`{"every": "month", "day": 1}` or `{"every": "week", "weekday": "mon"}`, by the owner's time zone."""

    every = serializers.ChoiceField(choices=["month", "week"])
    day = DayField(required=False, help_text="Each month; the last day of a month that has no such day.")
    weekday = serializers.ChoiceField(choices=WEEKDAYS, required=False, help_text="Each week.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a month without its day, a week without its weekday, and the one with the other's."""
        needed, foreign = ("day", "weekday") if attrs["every"] == "month" else ("weekday", "day")
        if needed not in attrs:
            raise ValidationError({needed: [ErrorDetail("This field is required.", code="required")]})
        if foreign in attrs:
            detail = f"A schedule by the {attrs['every']} has no such field."
            raise ValidationError({foreign: [ErrorDetail(detail, code="invalid")]})
        return attrs


class AutoTopUpBody(StrictBody):
    """When to top up, and by how much: below a threshold, by the calendar, or both."""

    enabled = FlagField(default=True)
    threshold = AmountField(
        required=False, allow_null=True, default=None, min_value=0, help_text="Fires when less is available."
    )
    amount = AmountField(help_text="What one top-up charges, in the wallet's currency.")
    token_id = serializers.UUIDField(help_text="A saved card of the wallet's owner.")
    monthly_limit = AmountField(
        required=False,
        allow_null=True,
        default=None,
        help_text="The most in one of the owner's calendar months.",
    )
    schedule = ScheduleBody(required=False, allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a rule without any occasion."""
        if attrs["threshold"] is None and attrs["schedule"] is None:
            detail = "Give a threshold, a schedule, or both."
            raise ValidationError({"threshold": [ErrorDetail(detail, code="required")]})
        return attrs


class NoBody(StrictBody):
    """Nothing."""


class ScheduleView(serializers.Serializer[Any]):
    """The days of a schedule."""

    every = serializers.ChoiceField(choices=["month", "week"])
    day = serializers.IntegerField(required=False)
    weekday = serializers.ChoiceField(choices=WEEKDAYS, required=False)


class AutoTopUpView(serializers.Serializer[Any]):
    """A wallet's rule of topping up; amounts in minor units."""

    wallet_id = serializers.UUIDField()
    enabled = serializers.BooleanField()
    paused = serializers.BooleanField()
    threshold = serializers.IntegerField(allow_null=True)
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    token_id = serializers.UUIDField()
    monthly_limit = serializers.IntegerField(allow_null=True)
    schedule = ScheduleView(allow_null=True)
    next_run_at = serializers.DateTimeField(
        allow_null=True, help_text="When the schedule's next occasion begins."
    )
    failures = serializers.IntegerField(help_text="Declines in a row.")
    cooldown_until = serializers.DateTimeField(allow_null=True, help_text="Nothing is charged before.")
    disabled_reason = serializers.CharField(allow_null=True)
    consent_text = serializers.CharField(help_text="What the customer has agreed to.")
    consent_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ComingTopUp(serializers.Serializer[Any]):
    """One occasion ahead."""

    at = serializers.DateTimeField()
    on = serializers.DateField(help_text="The day of the owner's calendar.")
    trigger = serializers.ChoiceField(choices=["schedule", "threshold"])
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    fires = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True, help_text="Why it would not be charged for.")


class PreviewView(serializers.Serializer[Any]):
    """What a rule would charge for in the next 30 days."""

    wallet_id = serializers.UUIDField()
    to = serializers.DateTimeField()
    currency = serializers.CharField()
    total = serializers.IntegerField()
    results = ComingTopUp(many=True)

    def get_fields(self) -> dict[str, Any]:
        """Add `from`, which is a word of Python's."""
        return {"from": serializers.DateTimeField(), **super().get_fields()}


def _shown(rule: AutoTopUp) -> Answer:
    return rendered(200, as_shown(rule), f"auto_top_up:{rule.wallet_id}")


def _gone(rule: AutoTopUp) -> Answer:
    return Answer(status=204, body=b"", resource=f"auto_top_up:{rule.wallet_id}")


def _show(stored_resource: str) -> bytes:
    return json_bytes(as_shown(rule_of_wallet(wallet_id=resource_id(stored_resource), owner_id=None)))


class AutoTopUpViewSet(StrictViewSet):
    """The rule by which a wallet is topped up from a saved card."""

    scopes: ClassVar = {
        "retrieve": "wallet:read",
        "update": "payment:write",
        "destroy": "payment:write",
        "preview": "wallet:read",
        "pause": ("payment:write", "wallet:manage"),
        "resume": "payment:write",
    }
    keys: ClassVar = {"update": "accepted", "destroy": "accepted", "pause": "accepted", "resume": "accepted"}

    @extend_schema(responses=AutoTopUpView)
    def retrieve(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Show the rule by which a wallet is topped up."""
        rule = rule_of_wallet(wallet_id=wallet_id, owner_id=caller(request).owner_id)
        return resource(request, as_shown(rule))

    @extend_schema(request=AutoTopUpBody, responses=AutoTopUpView)
    def update(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Write or replace the rule by which a wallet is topped up. Whoever calls agrees to its charges."""
        call = keyed_call(request, _shown, _show)
        body = AutoTopUpBody.read(request)
        principal = caller(request)
        written = set_rule(
            wallet_id=wallet_id,
            owner_id=principal.owner_id,
            terms=Terms(
                is_enabled=body["enabled"],
                threshold=body["threshold"],
                amount=body["amount"],
                token_id=body["token_id"],
                monthly_limit=body["monthly_limit"],
                schedule=schedule_of(body["schedule"]),
            ),
            actor=principal.name,
            call=call,
        )
        ring(TOP_UP_BELL, str(wallet_id))
        return keyed_answer(written)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Remove the rule. A charge that is under way ends as it ends."""
        call = keyed_call(request, _gone)
        principal = caller(request)
        return keyed_answer(
            remove_rule(wallet_id=wallet_id, owner_id=principal.owner_id, actor=principal.name, call=call)
        )

    @extend_schema(responses=PreviewView)
    def preview(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Show what the rule would charge for in the next 30 days, and what would keep it from that."""
        return answer(preview_rule(wallet_id=wallet_id, owner_id=caller(request).owner_id))

    @extend_schema(request=NoBody, responses=AutoTopUpView)
    def pause(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Let the rule charge nothing until it is resumed."""
        call = keyed_call(request, _shown, _show)
        NoBody.read(request)
        principal = caller(request)
        return keyed_answer(
            pause_rule(wallet_id=wallet_id, owner_id=principal.owner_id, actor=principal.name, call=call)
        )

    @extend_schema(request=NoBody, responses=AutoTopUpView)
    def resume(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Let a paused rule charge again, from the next occasion on."""
        call = keyed_call(request, _shown, _show)
        NoBody.read(request)
        principal = caller(request)
        resumed = resume_rule(
            wallet_id=wallet_id, owner_id=principal.owner_id, actor=principal.name, call=call
        )
        ring(TOP_UP_BELL, str(wallet_id))
        return keyed_answer(resumed)

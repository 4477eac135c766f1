"""The sandbox's clock over HTTP. A sandbox's time is everybody's who reaches it; production has no such path."""

from datetime import timedelta
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from payments.clock_moves import move_clock, time_now
from users.api.answers import answer
from users.api.bodies import StrictBody, StrictQuery
from users.api.views import StrictViewSet
from users.principals import Principal
from users.roles import PUBLIC
from wallets.api.holds import SecondsField

LONGEST_ADVANCE_S = 20 * 366 * 24 * 3600


class ClockQuery(StrictQuery):
    """Whose time it is."""

    wallet_id = serializers.UUIDField(required=False, help_text="One wallet's own; everybody's without it.")


class MoveBody(StrictBody):
    """Where to move time: `advance_s` or `now`, for all or for one wallet."""

    advance_s = SecondsField(
        required=False, min_value=1, max_value=LONGEST_ADVANCE_S, help_text="By how many seconds."
    )
    now = serializers.DateTimeField(required=False, help_text="To which moment; never back.")
    wallet_id = serializers.UUIDField(required=False, help_text="For this wallet alone.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a move without a goal, and one with two."""
        if ("advance_s" in attrs) == ("now" in attrs):
            raise ValidationError(
                {"advance_s": [ErrorDetail("Give either advance_s or now.", code="required")]}
            )
        return attrs


class TimeView(serializers.Serializer[Any]):
    """Which time it is."""

    now = serializers.DateTimeField()
    wallet_id = serializers.UUIDField(allow_null=True)
    ahead_s = serializers.IntegerField(help_text="How far that is ahead of the machine's clock.")


class RanView(serializers.Serializer[Any]):
    """One thing that happened because its time had come."""

    at = serializers.DateTimeField()
    action = serializers.CharField(help_text="Such as `hold.expired` or `top_up.succeeded`.")
    object_type = serializers.CharField()
    object_id = serializers.CharField()
    from_state = serializers.CharField(allow_null=True)
    to_state = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)


class MovedView(TimeView):
    """Which time it is now, and what ran on the way."""

    ran = RanView(many=True)


@extend_schema(tags=["Sandbox"])
class ClockViewSet(StrictViewSet):
    """The time that everything goes by in a sandbox, or a wallet's own."""

    scopes: ClassVar = {"retrieve": PUBLIC, "move": PUBLIC}
    keys: ClassVar[dict[str, Any]] = {}
    queried = frozenset({"retrieve"})

    @extend_schema(summary="Tell the sandbox's time", parameters=[ClockQuery], responses={200: TimeView})
    def retrieve(self, request: Request) -> HttpResponse:
        """Everybody's time, or a wallet's own, which may run ahead of it."""
        query = ClockQuery.read(request)
        return answer(time_now(wallet_id=query.get("wallet_id")))

    @extend_schema(summary="Move the sandbox's time", request=MoveBody, responses={200: MovedView})
    def move(self, request: Request) -> HttpResponse:
        """Forward, for all or for a wallet. What falls due on the way is done, each thing at its own moment."""
        body = MoveBody.read(request)
        who = request.user
        return answer(
            move_clock(
                advance=timedelta(seconds=body["advance_s"]) if "advance_s" in body else None,
                to=body.get("now"),
                wallet_id=body.get("wallet_id"),
                actor=who.name if isinstance(who, Principal) else "sandbox",
            )
        )

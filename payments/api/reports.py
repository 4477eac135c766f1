"""The figures of the business over HTTP, for staff."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from payments.dashboard import PERIODS, kept_dashboard
from payments.settlement_days import MOST_DAYS, settlement_days
from users.api.answers import answer
from users.api.bodies import StrictQuery
from users.api.views import StrictViewSet


class DashboardQuery(StrictQuery):
    """Which period."""

    period = serializers.ChoiceField(choices=list(PERIODS), default="today", help_text="Days are UTC's.")


class FloatView(serializers.Serializer[Any]):
    """What all wallets of a currency hold, and what the rest of the ledger says they hold."""

    currency = serializers.CharField()
    float = serializers.IntegerField(help_text="In the currency's minor unit.")
    ledger = serializers.IntegerField()
    difference = serializers.IntegerField(help_text="0, or the books are wrong.")


class VolumeView(serializers.Serializer[Any]):
    """What moved in a currency; a transfer between wallets counts once."""

    currency = serializers.CharField()
    amount = serializers.IntegerField()
    count = serializers.IntegerField()
    previous_amount = serializers.IntegerField()
    previous_count = serializers.IntegerField()


class DayVolumeView(serializers.Serializer[Any]):
    """What moved on one day in one currency."""

    date = serializers.DateField()
    currency = serializers.CharField()
    amount = serializers.IntegerField()
    count = serializers.IntegerField()


class SuccessView(serializers.Serializer[Any]):
    """What became of the charges that were decided."""

    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    success_rate_bp = serializers.IntegerField(allow_null=True, help_text="In 1/10000; null without charges.")


class SuccessPairView(serializers.Serializer[Any]):
    """This period's and the one before."""

    current = SuccessView()
    previous = SuccessView()


class DayPaymentsView(serializers.Serializer[Any]):
    """What became of the charges of one day."""

    date = serializers.DateField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()


class CountPairView(serializers.Serializer[Any]):
    """This period's and the one before."""

    current = serializers.IntegerField()
    previous = serializers.IntegerField()


class ActiveUsersView(serializers.Serializer[Any]):
    """Customers with a movement, whatever became of it, in this period and in the one before."""

    current = serializers.IntegerField()
    previous = serializers.IntegerField(
        allow_null=True, help_text="Null until the figures of that time have been rolled up."
    )


class WaitingView(serializers.Serializer[Any]):
    """What waits now, and since when."""

    count = serializers.IntegerField()
    oldest_at = serializers.DateTimeField(allow_null=True)
    oldest_age_s = serializers.IntegerField(allow_null=True)


class WaitingAmountView(serializers.Serializer[Any]):
    """What waits in one currency."""

    currency = serializers.CharField()
    count = serializers.IntegerField()
    amount = serializers.IntegerField()


class WaitingRefundsView(WaitingView):
    """Refunds that nobody has decided on."""

    amounts = WaitingAmountView(many=True)


class OpenBreaksView(WaitingView):
    """Breaks of settlement reports that aren't resolved."""

    last_report_at = serializers.DateTimeField(allow_null=True)


class InvariantsView(serializers.Serializer[Any]):
    """Whether the proofs that are run by the minute hold."""

    state = serializers.ChoiceField(
        choices=["holding", "broken", "late"],
        help_text="`late`: they held at `proved_at`, which is too long ago to say that they do.",
    )
    checked = serializers.ListField(child=serializers.CharField())
    broken = serializers.ListField(child=serializers.CharField())
    proved_at = serializers.DateTimeField()


class DashboardView(serializers.Serializer[Any]):
    """How the business stands, beside the period before."""

    period = serializers.ChoiceField(choices=list(PERIODS))
    since = serializers.DateTimeField(help_text="Where the period begins.")
    until = serializers.DateTimeField()
    previous_since = serializers.DateTimeField()
    float = FloatView(many=True)
    float_at = serializers.DateTimeField(help_text="When the float was counted; by the minute.")
    volume = VolumeView(many=True)
    volume_by_day = DayVolumeView(many=True)
    payments = SuccessPairView()
    payments_by_day = DayPaymentsView(many=True)
    wallets_created = CountPairView()
    active_users = ActiveUsersView()
    failed_top_ups = CountPairView()
    pending_refunds = WaitingRefundsView()
    unknown_payments = WaitingView()
    webhook_backlog = WaitingView()
    reconciliation = OpenBreaksView()
    invariants = InvariantsView()


class ReconciliationQuery(StrictQuery):
    """How far back."""

    days = serializers.IntegerField(
        min_value=1, max_value=MOST_DAYS, default=7, help_text="Days (UTC) up to now, today among them."
    )


class SettlementDayView(serializers.Serializer[Any]):
    """One day of one processor in one currency; amounts in minor units, positive towards us."""

    date = serializers.DateField()
    processor = serializers.CharField()
    currency = serializers.CharField()
    came_in = serializers.IntegerField()
    went_out = serializers.IntegerField()
    ledger = serializers.IntegerField(help_text="What the settlement account's lines sum to.")
    documents = serializers.IntegerField(help_text="What the payments and refunds behind them say.")
    difference = serializers.IntegerField()
    movements = serializers.IntegerField()
    breaks = serializers.IntegerField(help_text="Movements that differ or have no counterpart.")
    proved_at = serializers.DateTimeField(help_text="When the book was last read for this day.")
    closed_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the day was over and counted; null while it is counted for each answer.",
    )
    changed_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the book was found to say something else than when the day was closed.",
    )
    ledger_at_closing = serializers.IntegerField(allow_null=True, help_text="What it said then.")
    documents_at_closing = serializers.IntegerField(allow_null=True)


class ReconciliationView(serializers.Serializer[Any]):
    """Ledger against payments and refunds, newest day first."""

    results = SettlementDayView(many=True)
    breaks = serializers.IntegerField()


@extend_schema(tags=["Administration"])
class DashboardViewSet(StrictViewSet):
    """How the business stands."""

    queried = frozenset({"retrieve"})
    scopes: ClassVar = {"retrieve": "report:read"}

    @extend_schema(summary="Read the dashboard", parameters=[DashboardQuery], responses={200: DashboardView})
    def retrieve(self, request: Request) -> HttpResponse:
        """All figures of a period, at most 30 seconds old, compared with the period before; the float as of `float_at`."""
        return answer(kept_dashboard(DashboardQuery.read(request)["period"]))


@extend_schema(tags=["Administration"])
class ReconciliationViewSet(StrictViewSet):
    """The daily proof."""

    queried = frozenset({"retrieve"})
    scopes: ClassVar = {"retrieve": "report:read"}

    @extend_schema(
        summary="Reconcile ledger and payments",
        parameters=[ReconciliationQuery],
        responses={200: ReconciliationView},
    )
    def retrieve(self, request: Request) -> HttpResponse:
        """The settlement accounts by day, processor and currency against the payments and refunds behind them.

        Days that are over were counted at `closed_at`, and are proved again and again; today is counted now.
        """
        found = settlement_days(days=ReconciliationQuery.read(request)["days"])
        names = SettlementDayView().fields
        results = [{name: getattr(row, str(name)) for name in names} for row in found]
        return answer({"results": results, "breaks": sum(row.breaks for row in found)})

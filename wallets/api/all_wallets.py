"""Everybody's wallets over HTTP, for staff."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from users.api.answers import answer
from users.api.pages import page
from users.api.views import StrictViewSet
from wallets.api.serializers import WalletPage, WalletQuery
from wallets.cached_reads import as_shown
from wallets.queries import list_wallets, wallet_list_key


class AllWalletsViewSet(StrictViewSet):
    """The wallets of all customers."""

    scopes = {"list": ("adjustment:request", "adjustment:decide", "report:read")}

    @extend_schema(parameters=[WalletQuery], responses=WalletPage)
    def list(self, request: Request) -> HttpResponse:
        """List everybody's wallets, newest first."""
        query = WalletQuery.read(request)
        return answer(
            page(
                request,
                lambda seek: list_wallets(
                    owner_id=None,
                    user_id=query.get("user_id"),
                    currency=query.get("currency"),
                    status=query.get("status"),
                    key=seek.key,
                    is_backwards=seek.is_backwards,
                    count=seek.count,
                ),
                query=query,
                key=wallet_list_key,
                shape=as_shown,
            )
        )

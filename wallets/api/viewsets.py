"""Wallets over HTTP: each action makes one call to one use case, and translates."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from events.clock import now
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.api.serializers import (
    TransactionPage,
    WalletHistoryQuery,
    narrowed_to,
    shown_line,
)
from transactions.history import wallet_history, wallet_key
from transactions.idempotency import Answer, resource_id
from transactions.queries import account_figures, balance_at
from transactions.refusals import NotFound
from transactions.replicas import read_accounts
from users.api.answers import answer, json_bytes, resource, resource_bytes
from users.api.authentication import caller
from users.api.bodies import InvalidRequest
from users.api.pages import page
from users.api.views import StrictViewSet
from users.principals import Principal
from wallets import lifecycle, limits
from wallets.api.serializers import (
    BalanceQuery,
    BalanceView,
    DescribeWalletBody,
    LimitsBody,
    LimitsView,
    OpenWalletBody,
    ReasonBody,
    StatsView,
    SuspendBody,
    WalletPage,
    WalletQuery,
    WalletView,
)
from wallets.cached_reads import ShownWallet, as_shown, read_wallet
from wallets.locks import LockedWallet
from wallets.queries import list_wallets, may_see, wallet_by_id, wallet_list_key


def _seen(principal: Principal, wallet_id: UUID) -> ShownWallet:
    shown = read_wallet(wallet_id)
    if shown is None or principal.owner_id not in (None, shown.user_id):
        raise NotFound
    return shown


def _require_sight(principal: Principal, wallet_id: UUID) -> None:
    if not may_see(wallet_id, owner_id=principal.owner_id):
        raise NotFound


def _show(stored_resource: str) -> bytes:
    shown = read_wallet(resource_id(stored_resource))
    return shown.body if shown is not None else b"{}"


def _show_limits(stored_resource: str) -> bytes:
    wallet = wallet_by_id(resource_id(stored_resource), owner_id=None)
    return json_bytes(limits.limits_of(wallet)) if wallet is not None else b"{}"


def _opened(wallet: LockedWallet) -> Answer:
    return rendered(201, as_shown(wallet), f"wallet:{wallet.id}")


def _changed(wallet: LockedWallet) -> Answer:
    return rendered(200, as_shown(wallet), f"wallet:{wallet.id}")


class WalletViewSet(StrictViewSet):
    """A customer's wallets: their life, their state and their limits."""

    scopes = {
        "list": "wallet:read",
        "create": "wallet:write",
        "retrieve": "wallet:read",
        "partial_update": "wallet:write",
        "suspend": "wallet:manage",
        "reactivate": "wallet:manage",
        "close": ("wallet:write", "wallet:manage"),
        "limits": "wallet:read",
        "set_limits": "wallet:manage",
    }
    keys = {
        "create": "accepted",
        "partial_update": "accepted",
        "suspend": "accepted",
        "reactivate": "accepted",
        "close": "accepted",
        "set_limits": "accepted",
    }

    @extend_schema(parameters=[WalletQuery], responses=WalletPage)
    def list(self, request: Request) -> HttpResponse:
        """List wallets, newest first."""
        query = WalletQuery.read(request)
        principal = caller(request)
        if principal.is_customer and query.get("user_id") not in (None, principal.id):
            raise NotFound
        return answer(
            page(
                request,
                lambda seek: list_wallets(
                    owner_id=principal.owner_id,
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

    @extend_schema(request=OpenWalletBody, responses={201: WalletView})
    def create(self, request: Request) -> HttpResponse:
        """Open a wallet: one for each customer and currency."""
        call = keyed_call(request, _opened, _show)
        body = OpenWalletBody.read(request)
        principal = caller(request)
        named = body.get("user_id")
        if principal.is_customer and named not in (None, principal.id):
            raise NotFound
        if not principal.is_customer and named is None:
            raise InvalidRequest(
                [{"field": "user_id", "code": "required", "detail": "Name the customer whose wallet it is."}]
            )
        return keyed_answer(
            lifecycle.open_wallet(
                user_id=named or principal.id,
                currency=body["currency"],
                actor=principal.name,
                label=body["label"],
                metadata=body["metadata"],
                call=call,
            )
        )

    @extend_schema(responses=WalletView)
    def retrieve(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Show a wallet and its balance."""
        return resource_bytes(request, _seen(caller(request), wallet_id).body)

    @extend_schema(request=DescribeWalletBody, responses=WalletView)
    def partial_update(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Change a wallet's label or metadata."""
        call = keyed_call(request, _changed, _show)
        body = DescribeWalletBody.read(request)
        principal = caller(request)
        return keyed_answer(
            lifecycle.describe_wallet(
                wallet_id=wallet_id,
                owner_id=principal.owner_id,
                actor=principal.name,
                label=body.get("label"),
                metadata=body.get("metadata"),
                call=call,
            )
        )

    @extend_schema(request=SuspendBody, responses=WalletView)
    def suspend(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Keep a wallet from new movements; what is under way still posts."""
        call = keyed_call(request, _changed, _show)
        body = SuspendBody.read(request)
        return keyed_answer(
            lifecycle.suspend_wallet(
                wallet_id=wallet_id,
                actor=caller(request).name,
                reason=body["reason"],
                expires_at=body["expires_at"],
                call=call,
            )
        )

    @extend_schema(request=ReasonBody, responses=WalletView)
    def reactivate(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Let a suspended wallet move money again."""
        call = keyed_call(request, _changed, _show)
        body = ReasonBody.read(request)
        return keyed_answer(
            lifecycle.reactivate_wallet(
                wallet_id=wallet_id, actor=caller(request).name, reason=body["reason"], call=call
            )
        )

    @extend_schema(request=ReasonBody, responses=WalletView)
    def close(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Close an empty wallet for good."""
        call = keyed_call(request, _changed, _show)
        body = ReasonBody.read(request)
        principal = caller(request)
        return keyed_answer(
            lifecycle.close_wallet(
                wallet_id=wallet_id,
                owner_id=principal.owner_id,
                actor=principal.name,
                reason=body["reason"],
                call=call,
            )
        )

    @extend_schema(responses=LimitsView)
    def limits(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Show the limits that hold for a wallet."""
        wallet = wallet_by_id(wallet_id, owner_id=caller(request).owner_id)
        if wallet is None:
            raise NotFound
        return resource(request, limits.limits_of(wallet))

    @extend_schema(request=LimitsBody, responses=LimitsView)
    def set_limits(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Replace all limits of a wallet."""
        call = keyed_call(
            request, lambda found: rendered(200, found, f"wallet_limits:{wallet_id}"), _show_limits
        )
        body = LimitsBody.read(request)
        return keyed_answer(
            limits.set_limits(wallet_id=wallet_id, actor=caller(request).name, call=call, **body)
        )


class WalletBookViewSet(StrictViewSet):
    """What the book says of one wallet."""

    queried = frozenset({"transactions", "balance"})
    scopes = {"transactions": "transaction:read", "balance": "wallet:read", "stats": "wallet:read"}

    @extend_schema(parameters=[WalletHistoryQuery], responses=TransactionPage)
    def transactions(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """List a wallet's lines: pending ones first, then completed ones by their order in the book."""
        query = WalletHistoryQuery.read(request)
        _require_sight(caller(request), wallet_id)
        narrowed = narrowed_to(query)
        return answer(
            page(
                request,
                lambda seek: read_accounts(
                    [wallet_id],
                    lambda using: wallet_history(
                        wallet_id,
                        narrowed,
                        key=seek.key,
                        is_backwards=seek.is_backwards,
                        count=seek.count,
                        using=using,
                    ),
                ),
                query=query,
                key=wallet_key,
                shape=shown_line,
            )
        )

    @extend_schema(parameters=[BalanceQuery], responses=BalanceView)
    def balance(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Show the balance now, or as it stood at a past moment."""
        query = BalanceQuery.read(request)
        wallet = wallet_by_id(wallet_id, owner_id=caller(request).owner_id)
        if wallet is None:
            raise NotFound
        at = query.get("at")
        figures = (
            {"balance": wallet.balance, "held": wallet.held, "available": wallet.available, "at": now()}
            if at is None
            else {"balance": balance_at(wallet_id, at), "held": None, "available": None, "at": at}
        )
        return answer({"wallet_id": wallet_id, "currency": wallet.currency, **figures})

    @extend_schema(responses=StatsView)
    def stats(self, request: Request, wallet_id: UUID) -> HttpResponse:
        """Sum up what went in and out."""
        _require_sight(caller(request), wallet_id)
        return answer(account_figures(wallet_id))

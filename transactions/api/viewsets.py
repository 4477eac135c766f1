"""Reading the book over HTTP."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from transactions.api.serializers import (
    StateChanges,
    TransactionPage,
    TransactionQuery,
    TransactionView,
    narrowed_to,
    shown_line,
)
from transactions.history import HistoryFilter, all_history, line_key
from transactions.queries import BookLine, account_ids_of, line_by_id, may_see, state_changes
from transactions.refusals import NotFound
from transactions.replicas import read_accounts, read_report
from users.api.answers import answer, resource
from users.api.authentication import caller
from users.api.pages import Seek, page
from users.api.views import StrictViewSet


def _lines(
    narrowed: HistoryFilter, seek: Seek, *, owner_id: UUID | None, account_id: UUID | None
) -> list[BookLine]:
    def fetch(using: str) -> list[BookLine]:
        return all_history(
            narrowed,
            owner_id=owner_id,
            account_id=account_id,
            key=seek.key,
            is_backwards=seek.is_backwards,
            count=seek.count,
            using=using,
        )

    if account_id is not None:
        return read_accounts([account_id], fetch)
    return read_report(fetch) if owner_id is None else read_accounts(account_ids_of(owner_id), fetch)


def _listed(request: Request) -> HttpResponse:
    query = TransactionQuery.read(request)
    principal = caller(request)
    narrowed = narrowed_to(query)
    if not may_see(
        account_id=query.get("wallet_id"),
        transfer_id=narrowed.transfer_id,
        owner_id=principal.owner_id,
    ):
        raise NotFound
    return answer(
        page(
            request,
            lambda seek: _lines(
                narrowed, seek, owner_id=principal.owner_id, account_id=query.get("wallet_id")
            ),
            query=query,
            key=line_key,
            shape=shown_line,
        )
    )


class AllTransactionsViewSet(StrictViewSet):
    """Lines of all wallets, for staff."""

    scopes = {"list": ("adjustment:request", "adjustment:decide", "report:read")}

    @extend_schema(
        operation_id="admin_transactions_list", parameters=[TransactionQuery], responses=TransactionPage
    )
    def list(self, request: Request) -> HttpResponse:
        """List everybody's transactions, newest first."""
        return _listed(request)


class TransactionViewSet(StrictViewSet):
    """Lines of the wallets that the caller may see."""

    scopes = {"list": "transaction:read", "retrieve": "transaction:read", "audit": "transaction:read"}

    @extend_schema(parameters=[TransactionQuery], responses=TransactionPage)
    def list(self, request: Request) -> HttpResponse:
        """List transactions, newest first."""
        return _listed(request)

    @extend_schema(responses=TransactionView)
    def retrieve(self, request: Request, transaction_id: UUID) -> HttpResponse:
        """Show one transaction."""
        principal = caller(request)
        line = line_by_id(transaction_id, owner_id=principal.owner_id)
        if line is None:
            raise NotFound
        return resource(request, shown_line(line))

    @extend_schema(responses=StateChanges)
    def audit(self, request: Request, transaction_id: UUID) -> HttpResponse:
        """Tell every change of a transaction's state."""
        principal = caller(request)
        changes = state_changes(transaction_id, owner_id=principal.owner_id)
        if changes is None:
            raise NotFound
        return answer({"results": changes})

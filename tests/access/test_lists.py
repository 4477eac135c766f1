"""Lists of the API are paged by key: whatever is asked for, no row is counted and none is skipped over."""

import re
from typing import Any

import psycopg
import pytest

from tests.access.matrix import MATRIX
from tests.access.test_matrix import filled
from tests.factories.calls import ApiClient
from tests.factories.holds import new_hold
from tests.factories.money import fund, new_wallet
from tests.factories.people import CustomerFactory, someone
from transactions import prepared
from transactions.models import Transaction
from users.roles import PUBLIC

FORBIDDEN = re.compile(r"\bOFFSET\b|\bCOUNT\s*\(", re.IGNORECASE)
# Reports, which sum up and count what the lists show row by row.
REPORTS = {"/admin/dashboard", "/admin/reconciliation", "/admin/reconciliation/proof"}
READS = sorted(
    path
    for method, path in MATRIX
    if method == "GET" and MATRIX[method, path].scope != PUBLIC and path not in REPORTS
)


@pytest.fixture
def executed(monkeypatch) -> list[str]:
    """Every statement that is sent from here on, through the ORM or not."""
    statements: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(self, query: Any, *rest: Any, **options: Any) -> Any:
        statements.append(query.decode() if isinstance(query, bytes) else str(query))
        return execute(self, query, *rest, **options)

    run = prepared.run_on

    def noted_raw(wire: Any, statement: str, parameters: Any) -> Any:
        statements.append(statement)
        return run(wire, statement, parameters)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    monkeypatch.setattr(prepared, "run_on", noted_raw)
    return statements


def test_when_every_list_is_asked_for_then_none_counts_or_skips(committed, executed):
    owner = CustomerFactory.create()
    wallet_id = new_wallet(10_000, owner=owner)
    for amount in (1, 2, 3):
        fund(wallet_id, amount)
    hold_id = new_hold(wallet_id, 1)
    line = Transaction.objects.filter(account_id=wallet_id).first()
    ids = {
        "wallet": str(wallet_id),
        "user": str(owner.id),
        "hold": str(hold_id),
        "transaction": str(line.id),
        "transfer": str(line.transfer_id),
    }
    callers = [ApiClient(owner), ApiClient(someone("admin"))]
    executed.clear()

    lists = set()
    for path in READS:
        for caller in callers:
            for query in ("", "?limit=1"):
                response = caller.get(filled(path, ids) + query)
                if response.streaming or response.status_code != 200 or "results" not in response.json():
                    continue
                lists.add(path)
                if following := response.json().get("next"):
                    assert caller.get(following.partition("/api/v1")[2]).status_code == 200

    assert {"/wallet", "/transactions", "/wallet/{wallet}/transactions", "/wallet/{wallet}/holds"} <= lists
    # The explanation of a balance counts by type: it is no list, and says so in its own name.
    assert [sql for sql in executed if FORBIDDEN.search(sql) and "WITH standing" not in sql] == []
    assert any("FROM transactions_transaction AS l" in sql and "LIMIT" in sql for sql in executed)


def test_when_a_statement_counts_or_skips_then_it_would_be_seen(db, executed):
    Transaction.objects.count()
    list(Transaction.objects.all()[5:6])

    assert [bool(FORBIDDEN.search(sql)) for sql in executed] == [True, True]

"""Lists are paged by their key: nothing is counted, nothing skipped over."""

from uuid import UUID

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.backoffice.conftest import Scene
from transactions.models import LedgerAccount
from users.staff_screens import StaffScreen

PAGED = sorted(
    f"{model._meta.app_label}/{model._meta.model_name}"
    for model, screen in admin.site._registry.items()
    if isinstance(screen, StaffScreen) and not screen.list_page
)
# Wallets' accounts, without the system's own.
ACCOUNTS = "/admin/transactions/ledgeraccount/"
OF_WALLETS = "rolled_up__exact=0"


def test_when_screens_are_registered_then_all_are_paged_by_key_or_lead_to_a_page_that_is() -> None:
    others = {model._meta.model_name for model, s in admin.site._registry.items() if s.list_page}  # type: ignore[attr-defined]

    assert others == {"paymenttoken", "transfer", "transaction"}
    assert len(PAGED) + len(others) == len(admin.site._registry)


@pytest.mark.parametrize("name", ["transfer", "transaction"])
def test_when_a_page_of_our_own_lists_the_rows_then_the_screen_leads_there(
    staff: Client, db: None, name: str
) -> None:
    answer = staff.get(f"/admin/transactions/{name}/")

    assert (answer.status_code, answer["Location"]) == (302, f"/admin/{name}s/")


@pytest.mark.parametrize("query", ["", "?q=alice@example.com", "?q=019aa000-0000-7000-8000-000000000001"])
@pytest.mark.parametrize("name", PAGED)
def test_when_a_list_is_shown_then_it_neither_counts_nor_skips(
    staff: Client, scene: Scene, name: str, query: str
) -> None:
    with CaptureQueriesContext(connection) as captured:
        answer = staff.get(f"/admin/{name}/{query}")

    statements = [query["sql"].upper() for query in captured]
    assert answer.status_code == 200
    assert [sql for sql in statements if "COUNT(" in sql or " OFFSET " in sql] == []
    assert len(statements) <= 13


def test_when_pages_are_followed_then_each_wallet_is_seen_once_and_the_way_back_is_the_same(
    staff: Client, five_wallets: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site._registry[LedgerAccount], "list_per_page", 2)
    newest_first = five_wallets[::-1]

    pages, query = [], f"?{OF_WALLETS}"
    while True:
        shown = staff.get(f"{ACCOUNTS}{query}").context["cl"]
        pages.append([account.pk for account in shown.result_list])
        if not shown.older_url:
            break
        query = shown.older_url
    back = staff.get(f"{ACCOUNTS}{shown.newer_url}").context["cl"]

    assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]
    assert [account.pk for account in back.result_list] == newest_first[2:4]
    assert (back.older_url != "", back.newer_url != "") == (True, True)


def test_when_a_filter_is_chosen_then_it_starts_from_the_first_page(
    staff: Client, five_wallets: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site._registry[LedgerAccount], "list_per_page", 2)

    shown = staff.get(ACCOUNTS, {"older_than": str(five_wallets[3]), "rolled_up__exact": "0"})

    cl = shown.context["cl"]
    assert [account.pk for account in cl.result_list] == [five_wallets[2], five_wallets[1]]
    assert "older_than" not in cl.get_query_string({"rolled_up__exact": "1"})
    assert cl.older_url == f"?older_than={five_wallets[1]}&{OF_WALLETS}"


@pytest.mark.parametrize("cursor", ["older_than=x", "newer_than=1", "older_than=%27"])
def test_when_a_cursor_is_malformed_then_the_list_starts_anew(staff: Client, db: None, cursor: str) -> None:
    answer = staff.get(f"{ACCOUNTS}?{cursor}")

    assert (answer.status_code, answer["Location"]) == (302, f"{ACCOUNTS}?e=1")

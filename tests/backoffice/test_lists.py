"""Lists are paged by their key: nothing is counted, nothing skipped over."""

from uuid import UUID

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.backoffice.conftest import Scene
from users.staff_screens import StaffScreen
from wallets.models import Wallet

PAGED = sorted(
    f"{model._meta.app_label}/{model._meta.model_name}"
    for model, screen in admin.site._registry.items()
    if isinstance(screen, StaffScreen)
)


def test_when_screens_are_registered_then_all_are_paged_by_key() -> None:
    assert len(PAGED) == len(admin.site._registry)


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
    monkeypatch.setattr(admin.site._registry[Wallet], "list_per_page", 2)
    newest_first = five_wallets[::-1]

    pages, query = [], ""
    while True:
        shown = staff.get(f"/admin/wallets/wallet/{query}").context["cl"]
        pages.append([wallet.pk for wallet in shown.result_list])
        if not shown.older_url:
            break
        query = shown.older_url
    back = staff.get(f"/admin/wallets/wallet/{shown.newer_url}").context["cl"]

    assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]
    assert [wallet.pk for wallet in back.result_list] == newest_first[2:4]
    assert (back.older_url != "", back.newer_url != "") == (True, True)


def test_when_a_filter_is_chosen_then_it_starts_from_the_first_page(
    staff: Client, five_wallets: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site._registry[Wallet], "list_per_page", 2)

    shown = staff.get(
        "/admin/wallets/wallet/", {"older_than": str(five_wallets[3]), "status__exact": "active"}
    )

    cl = shown.context["cl"]
    assert [wallet.pk for wallet in cl.result_list] == [five_wallets[2], five_wallets[1]]
    assert "older_than" not in cl.get_query_string({"status__exact": "closed"})
    assert cl.older_url == f"?older_than={five_wallets[1]}&status__exact=active"


@pytest.mark.parametrize("cursor", ["older_than=x", "newer_than=1", "older_than=%27"])
def test_when_a_cursor_is_malformed_then_the_list_starts_anew(staff: Client, db: None, cursor: str) -> None:
    answer = staff.get(f"/admin/wallets/wallet/?{cursor}")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/wallets/wallet/?e=1")

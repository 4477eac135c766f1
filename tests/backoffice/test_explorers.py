"""The explorers: what the address narrows the list to, and the file with exactly those rows."""

import csv
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from tests.backoffice.conftest import Scene
from tests.factories.calls import unkeyed
from tests.factories.money import new_wallet
from tests.factories.people import someone
from transactions.money import Money
from wallets.transfers import pay


def browser_of(role: str) -> Client:
    client = Client()
    client.force_login(someone(role))
    return client


def file_of(client: Client, path: str, **query: object) -> list[dict[str, str]]:
    answer = client.get(path, query)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))


def ids_on(client: Client, **query: object) -> set[str]:
    page = client.get("/admin/transactions/", query)
    return {str(row.id) for row in page.context["page"].rows}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"type": "transfer_out"}, {"debit"}),
        ({"currency": "eur", "amount_from": "12.50", "amount_to": "12.50"}, {"credit"}),
        ({"currency": "EUR", "amount_to": "-12.5"}, {"debit"}),
        ({"currency": "USD"}, set()),
        ({"status": "pending"}, set()),
        ({"reference": "order-9"}, set()),
        ({"created_to": "2001-01-01"}, set()),
        ({"created_from": "2001-01-01"}, {"debit", "credit"}),
    ],
)
def test_when_the_address_narrows_it_then_the_list_and_the_file_hold_the_same_rows(
    scene: Scene, query: dict[str, str], found: set[str]
) -> None:
    client, asked = browser_of("finance"), {"transfer_id": str(scene.transfer), **query}
    wanted = {str(getattr(scene, name)) for name in found}

    listed, filed = ids_on(client, **asked), file_of(client, "/admin/transactions/file/", **asked)

    assert listed == wanted
    assert {row["id"] for row in filed} == wanted


def test_when_a_line_is_exported_then_its_row_says_all_of_it(scene: Scene) -> None:
    asked = {"wallet_id": str(scene.alices_wallet), "type": "transfer_out"}

    (row,) = file_of(browser_of("auditor"), "/admin/transactions/file/", **asked)

    assert (row["amount"], row["currency"], row["balance_after"]) == ("-12.50", "EUR", "1234555.39")
    assert (row["wallet_id"], row["transfer_id"]) == (str(scene.alices_wallet), str(scene.transfer))
    assert (row["type"], row["status"], row["description"]) == ("transfer_out", "completed", "Dinner")


def test_when_today_is_asked_for_then_the_day_is_whole(scene: Scene) -> None:
    today = timezone.localdate().isoformat()
    asked = {"transfer_id": str(scene.transfer), "created_from": today, "created_to": today}

    assert ids_on(browser_of("finance"), **asked) == {str(scene.debit), str(scene.credit)}


def test_when_text_would_run_as_a_formula_then_it_stays_text(db: None) -> None:
    wallet_id = new_wallet(1_000)
    spent(wallet_id, "=1+1", "@ref")

    (row,) = file_of(browser_of("finance"), "/admin/transactions/file/", wallet_id=wallet_id, type="payment")

    assert (row["description"], row["reference"], row["amount"]) == ("'=1+1", "'@ref", "-1.00")


def spent(wallet_id: UUID, description: str, reference: str) -> None:
    pay(
        wallet_id=wallet_id,
        amount=Money(100, "USD"),
        owner_id=None,
        actor="user:tester",
        call=unkeyed(),
        description=description,
        reference=reference,
    )


def test_when_there_are_more_rows_than_a_page_then_the_file_has_them_all(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backoffice.explorers.narrowing.ROWS_AT_ONCE", 2)
    wallet_id = new_wallet(1_000)
    for number in range(5):
        spent(wallet_id, f"no. {number}", "")

    rows = file_of(browser_of("finance"), "/admin/transactions/file/", wallet_id=wallet_id, type="payment")

    assert [row["description"] for row in rows] == ["no. 4", "no. 3", "no. 2", "no. 1", "no. 0"]


def test_when_transfers_are_narrowed_then_list_and_file_agree(scene: Scene) -> None:
    client, asked = browser_of("finance"), {"actor": f"user:{scene.alice.id}", "kind": "transfer"}

    page = client.get("/admin/transfers/", asked)
    (row,) = file_of(client, "/admin/transfers/file/", **asked)

    assert [found.id for found in page.context["page"].rows] == [scene.transfer]
    assert (row["id"], row["kind"], row["description"]) == (str(scene.transfer), "transfer", "Dinner")


@pytest.mark.parametrize(
    "query",
    [
        {"wallet_id": "nonsense"},
        {"amount_from": "1"},
        {"currency": "XQZ"},
        {"created_from": "yesterday"},
        {"type": "gift"},
    ],
)
def test_when_the_address_can_not_be_understood_then_it_says_so_and_shows_nothing(
    scene: Scene, query: dict[str, str]
) -> None:
    client = browser_of("finance")

    page = client.get("/admin/transactions/", query)
    sent = client.get("/admin/transactions/file/", query)

    assert (page.status_code, sent.status_code) == (400, 400)
    assert page.context["page"].rows == []
    assert 'class="notice notice-bad"' in page.content.decode()


def test_when_support_looks_then_there_is_no_file_to_take(scene: Scene) -> None:
    client = browser_of("support")

    page = client.get("/admin/transactions/").content.decode()

    assert "Download as CSV" not in page
    assert client.get("/admin/transactions/file/").status_code == 403

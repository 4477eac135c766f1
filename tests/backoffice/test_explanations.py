"""A wallet's balance, explained on a page of the back office."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils.html import strip_tags
from uuid_utils.compat import uuid7

from backoffice.views import explanations
from tests.backoffice.conftest import Scene
from tests.factories.holds import new_hold
from tests.factories.money import fund, new_wallet
from tests.factories.people import someone
from transactions.models import LedgerAccount


def texts(answer) -> list[list[str]]:
    """Read the cells of all tables, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", answer.content.decode(), re.DOTALL)
    return [
        [" ".join(strip_tags(cell).replace("\xa0", " ").replace("&nbsp;", " ").split()) for cell in cells]
        for row in rows
        if (cells := re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL))
    ]


def test_when_a_wallet_is_looked_at_then_its_balance_leads_to_the_explanation(staff: Client, scene: Scene):
    page = staff.get(f"/admin/wallets/{scene.alices_wallet}/").content.decode()

    (link,) = re.findall(r'<a class="explain" href="([^"]+)">Explain this balance</a>', page)
    assert link == f"/admin/wallets/{scene.alices_wallet}/explain/"
    assert staff.get(link).status_code == 200


def test_when_a_balance_is_explained_then_types_proof_and_lines_are_shown(staff: Client, scene: Scene):
    rows = texts(staff.get(f"/admin/wallets/{scene.alices_wallet}/explain/"))

    assert rows[:6] == [
        ["Funding", "1", "+1,234,567.89 EUR"],
        ["Transfer out", "1", "−12.50 EUR"],
        ["Balance", "2", "1,234,555.39 EUR"],
        ["No line is missing", "2 lines, numbered 1 to 2", "agrees"],
        ["They sum to the balance", "1,234,555.39 EUR", "agrees"],
        ["The last line says the same", "1,234,555.39 EUR", "agrees"],
    ]
    lines = [[row[0], *row[3:]] for row in rows[6:]]
    assert lines == [
        ["2", "Transfer out", "1,234,567.89 EUR", "−12.50 EUR", "1,234,555.39 EUR"],
        ["1", "Funding", "0.00 EUR", "+1,234,567.89 EUR", "1,234,567.89 EUR"],
    ]


def test_when_money_is_held_then_what_keeps_it_is_named(staff: Client, db: None):
    wallet_id = new_wallet(10_000)
    hold_id = new_hold(wallet_id, 4_000)

    answer = staff.get(f"/admin/wallets/{wallet_id}/explain/")

    assert f'title="{hold_id}"' in answer.content.decode()
    held = [row for row in texts(answer) if row[0] == "Hold"]
    assert [row[2] for row in held] == ["40.00 USD"]


def test_when_a_past_moment_is_asked_about_then_only_what_was_there_is_shown(staff: Client, scene: Scene):
    funded_at = LedgerAccount.objects.get(id=scene.alices_wallet).posted_at - timedelta(microseconds=1)

    answer = staff.get(f"/admin/wallets/{scene.alices_wallet}/explain/", {"at": funded_at.isoformat()})

    rows = texts(answer)
    assert rows[:2] == [
        ["Funding", "1", "+1,234,567.89 EUR"],
        ["Balance", "1", "1,234,567.89 EUR"],
    ]
    assert [row[0] for row in rows[5:]] == ["1"]
    assert "What is held of it" not in answer.content.decode()


@pytest.mark.parametrize("at", ["yesterday", "2026-02-30 12:00", "2026-13-01T00:00:00Z", "<b>"])
def test_when_the_moment_can_not_be_read_then_the_page_says_so_and_shows_the_present(
    staff: Client, scene: Scene, at: str
):
    answer = staff.get(f"/admin/wallets/{scene.alices_wallet}/explain/", {"at": at})

    assert answer.status_code == 200
    assert "is no moment" in answer.content.decode()
    assert "<b>”" not in answer.content.decode()
    assert texts(answer)[2] == ["Balance", "2", "1,234,555.39 EUR"]


def test_when_a_moment_has_no_zone_then_it_is_utc():
    assert explanations._moment("2026-10-31 12:00") == datetime(2026, 10, 31, 12, tzinfo=UTC)
    assert explanations._moment("2026-10-31T12:00:00+02:00") == datetime(2026, 10, 31, 10, tzinfo=UTC)


def test_when_there_are_many_lines_then_each_is_on_one_page(staff: Client, db: None, monkeypatch):
    monkeypatch.setattr(explanations, "LINES_SHOWN", 2)
    wallet_id = new_wallet()
    for amount in range(1, 6):
        fund(wallet_id, amount)

    numbers, query = [], ""
    while True:
        page = staff.get(f"/admin/wallets/{wallet_id}/explain/{query}")
        numbers.append([row[0] for row in texts(page) if len(row) == 7])
        following = re.search(r'rel="next"\s+href="([^"]+)"', page.content.decode())
        if following is None:
            break
        query = following[1].replace("&amp;", "&")

    assert numbers == [["5", "4"], ["3", "2"], ["1"]]


def test_when_the_book_was_tampered_with_then_the_page_says_that_it_differs(as_owner):
    wallet_id = new_wallet(500)
    fund(wallet_id, 100)
    staff = Client()
    staff.force_login(someone("admin"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE transactions_transaction DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE transactions_transaction SET amount = 7 WHERE account_id = %s AND seq = 1", [wallet_id]
        )

    rows = texts(staff.get(f"/admin/wallets/{wallet_id}/explain/"))

    assert [row[2] for row in rows if row[0].startswith(("No line", "They sum", "The last"))] == [
        "agrees",
        "differs",
        "agrees",
    ]


def test_when_there_is_no_such_wallet_then_there_is_no_page(staff: Client):
    assert staff.get(f"/admin/wallets/{uuid7()}/explain/").status_code == 404


def test_when_nobody_has_logged_in_then_the_page_is_shut(scene: Scene):
    answer = Client().get(f"/admin/wallets/{scene.alices_wallet}/explain/")

    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")

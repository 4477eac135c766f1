"""Settlement reports and their breaks over HTTP."""

import csv

import pytest

from payments.models import SettlementBreak
from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.money import new_wallet
from tests.factories.people import someone
from tests.payments.reports import charge_row, charged, csv_of, row, today, unused_currency

pytestmark = pytest.mark.django_db
IMPORTS, BREAKS = "/admin/reconciliation/imports", "/admin/reconciliation/breaks"


@pytest.fixture
def currency() -> str:
    """One whose books hold what this test does, and nothing else."""
    return unused_currency()


@pytest.fixture
def finance() -> ApiClient:
    return ApiClient(someone("finance"))


def body_of(*rows: str, currency: str) -> dict[str, str]:
    return {
        "processor": "sandbox",
        "format": "open_wallet",
        "currency": currency,
        "first_day": str(today()),
        "last_day": str(today()),
        "file_name": "today.csv",
        "content": csv_of(*rows).decode(),
    }


def test_when_a_report_is_imported_then_it_is_shown_and_once_more_it_is_the_same(finance, currency):
    payment = charged(new_wallet(currency=currency), 2500)
    body = body_of(charge_row(payment), currency=currency)

    first, again = finance.post(IMPORTS, body), finance.post(IMPORTS, body)

    shown = first.json()
    assert (first.status_code, again.status_code, again.json()) == (201, 200, shown)
    assert (shown["rows"], shown["repeated"], shown["file_name"]) == (1, 0, "today.csv")
    assert finance.get(f"{IMPORTS}/{shown['id']}").json() == shown
    assert finance.get(f"{IMPORTS}?processor=sandbox").json()["results"][0] == shown


def test_when_a_file_is_wrong_then_the_line_is_named_and_nothing_moves(finance, currency):
    with nothing_moves():
        answer = finance.post(IMPORTS, body_of("t,charge,1", currency=currency))

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["errors"][0]["field"] == "content"
    assert "Line 2" in answer.json()["detail"]


def test_when_a_break_is_decided_then_two_people_are_needed_and_the_proof_says_what_is_left(
    finance, currency
):
    charged(new_wallet(currency=currency), 2500)
    finance.post(IMPORTS, body_of(currency=currency))
    break_id = str(SettlementBreak.objects.get(currency=currency).id)
    other = ApiClient(someone("admin"))
    proposal = {"resolution": "provider_error", "reason": "they lost it"}

    proposed = finance.post(f"{BREAKS}/{break_id}/propose", proposal)
    with nothing_moves():
        alone = finance.post(f"{BREAKS}/{break_id}/resolve", {})
        twice = other.post(f"{BREAKS}/{break_id}/propose", proposal)
    sent_back = other.post(f"{BREAKS}/{break_id}/send-back", {"reason": "ask again"})
    other.post(f"{BREAKS}/{break_id}/propose", proposal)
    resolved = finance.post(f"{BREAKS}/{break_id}/resolve", {}, key="once")
    replayed = finance.post(f"{BREAKS}/{break_id}/resolve", {}, key="once")

    assert (proposed.status_code, proposed.json()["status"]) == (200, "proposed")
    assert (alone.status_code, alone.json()["code"]) == (422, "self_approval")
    assert (twice.status_code, twice.json()["code"]) == (409, "break_not_open")
    assert (sent_back.json()["status"], sent_back.json()["proposed_by"]) == ("open", None)
    assert (resolved.json()["status"], resolved.json()["resolution"]) == ("resolved", "provider_error")
    assert replayed.json() == resolved.json()
    proofs = finance.get("/admin/reconciliation/proof").json()["results"]
    (found,) = [proof for proof in proofs if proof["currency"] == currency]
    assert found == {
        "processor": "sandbox",
        "currency": currency,
        "ledger": 2500,
        "not_covered": 0,
        "expected": 2500,
        "reported": 0,
        "difference": 2500,
        "open_breaks": 0,
        "open_amount": 0,
        "resolved_amount": 2500,
        "unproved": 0,
        "fees": 0,
        "payouts": 0,
        "remaining": 0,
    }


def test_when_breaks_are_exported_then_the_file_has_those_that_match_and_no_formula(finance, currency):
    evil = row("=cmd()", "charge", -99, reference="+evil", currency=currency)
    report = finance.post(IMPORTS, body_of(evil, currency=currency)).json()

    listed = finance.get(f"{BREAKS}?import_id={report['id']}&status=open&kind=missing_here").json()["results"]
    none = finance.get(f"{BREAKS}?import_id={report['id']}&kind=duplicated").json()["results"]
    answer = finance.get(f"{BREAKS}?import_id={report['id']}&format=csv")

    assert answer["Content-Disposition"] == 'attachment; filename="breaks.csv"'
    (cells,) = csv.DictReader(b"".join(answer.streaming_content).decode().splitlines())
    assert (cells["row_reference"], cells["reference"]) == ("'=cmd()", "'+evil")
    assert (cells["expected"], cells["reported"], cells["difference"]) == ("0.00", "-0.99", "0.99")
    assert [one["id"] for one in listed] == [cells["id"]]
    assert none == []


@pytest.mark.parametrize("path", [f"{IMPORTS}/{{}}", f"{BREAKS}/{{}}"])
def test_when_there_is_no_such_thing_then_it_is_not_found(finance, path):
    answer = finance.get(path.format("01900000-0000-7000-8000-000000000000"))

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

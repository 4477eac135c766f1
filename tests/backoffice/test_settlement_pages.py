"""The pages of settlement reports: a file is imported, its breaks are queued, and two people resolve one."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from uuid_utils.compat import uuid7

from payments.models import SettlementBreak, SettlementImport
from tests.factories.books import nothing_moves
from tests.factories.money import new_wallet
from tests.factories.people import someone
from tests.payments.reports import charge_row, charged, csv_of, imported, today, unused_currency
from users.models import User

pytestmark = pytest.mark.django_db
PAGES = "/admin/reconciliation"


@pytest.fixture
def currency() -> str:
    """One whose books hold what this test does, and nothing else."""
    return unused_currency()


def browser_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def form_of(content: bytes, currency: str, **changed: str) -> dict[str, object]:
    return {
        "key": str(uuid7()),
        "processor": "sandbox",
        "format": "open_wallet",
        "currency": currency.lower(),
        "first_day": str(today()),
        "last_day": str(today()),
        "file": SimpleUploadedFile("today.csv", content, content_type="text/csv"),
        **changed,
    }


def test_when_finance_imports_a_file_then_the_page_says_what_came_of_each_row(currency):
    payment, untold = (charged(new_wallet(currency=currency), amount) for amount in (250_000, 300))
    content = csv_of(charge_row(payment, gross=249_999, row_id="<b>txn</b>"))

    answer = browser_of(someone("finance")).post(
        f"{PAGES}/imports/new/", form_of(content, currency), follow=True
    )

    report = SettlementImport.objects.get(currency=currency)
    assert answer.redirect_chain == [(f"{PAGES}/imports/{report.id}/", 302)]
    page = answer.content.decode()
    assert "today.csv" in page
    assert "&lt;b&gt;txn&lt;/b&gt;" in page
    assert "2,499.99" in page
    assert "Amount Differs" in page
    assert "Missing There" in page
    assert untold.amount == 300


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"file": ""}, "Choose a file."),
        ({"last_day": "soon"}, "Say the format, and the first and the last day."),
        ({"format": "pdf"}, "Say the format, and the first and the last day."),
        ({"processor": "nobody"}, "There is no such processor."),
        ({"file": SimpleUploadedFile("x.csv", b"id")}, "The file has no column"),
    ],
)
def test_when_what_is_given_makes_no_sense_then_the_form_says_so_and_nothing_moves(changed, told):
    client = browser_of(someone("finance"))

    with nothing_moves():
        answer = client.post(f"{PAGES}/imports/new/", form_of(csv_of(), "USD", **changed))

    assert answer.status_code == 422
    assert told in answer.content.decode()


def test_when_a_break_is_resolved_on_its_page_then_the_second_person_sees_the_proposal(currency):
    charged(new_wallet(currency=currency), 2500)
    report = imported(currency=currency)
    found = SettlementBreak.objects.get(report=report)
    path = f"{PAGES}/breaks/{found.id}/"
    first, second = browser_of(someone("finance")), browser_of(someone("finance"))

    queue = first.get(f"{PAGES}/breaks/?import_id={report.id}").content.decode()
    proposal = {"key": str(uuid7()), "resolution": "explained", "reason": "paid by hand"}
    told = first.post(f"{path}propose/", proposal, follow=True).content.decode()
    with nothing_moves():
        alone = first.post(f"{path}resolve/", {"key": str(uuid7())}, follow=True).content.decode()
    seen = second.get(path).content.decode()
    done = second.post(f"{path}resolve/", {"key": str(uuid7())}, follow=True).content.decode()

    assert path in queue
    assert "The break waits for somebody else to resolve it." in told
    assert "You have proposed it yourself: somebody else has to resolve it." in told
    assert "Whoever asked for this can not decide on it." in alone
    assert "paid by hand" in seen
    assert f'action="{path}resolve/"' in seen
    assert "The break is resolved." in done
    found.refresh_from_db()
    assert found.status == "resolved"


def test_when_a_step_lacks_its_reason_then_nothing_moves(currency):
    charged(new_wallet(currency=currency), 2500)
    path = f"{PAGES}/breaks/{SettlementBreak.objects.get(report=imported(currency=currency)).id}/"
    client = browser_of(someone("finance"))

    with nothing_moves():
        for step in ("propose", "send-back"):
            page = client.post(f"{path}{step}/", {"resolution": "explained", "reason": " "}, follow=True)
            assert "in up to 500 characters." in page.content.decode()


def test_when_an_auditor_looks_then_everything_is_shown_and_nothing_offered(currency):
    charged(new_wallet(currency=currency), 2500)
    report = imported(currency=currency)
    found = SettlementBreak.objects.get(report=report)
    client = browser_of(someone("auditor"))

    pages = [
        client.get(path).content.decode()
        for path in (
            f"{PAGES}/imports/",
            f"{PAGES}/imports/{report.id}/",
            f"{PAGES}/breaks/?import_id={report.id}",
            f"{PAGES}/breaks/{found.id}/",
        )
    ]

    assert str(found.id) in pages[2]
    assert "Your role may not resolve breaks." in pages[3]
    for page in pages:
        assert "imports/new/" not in page
        assert "/propose/" not in page


def test_when_the_queue_is_asked_for_as_csv_then_it_is_narrowed_alike(currency):
    charged(new_wallet(currency=currency), 2500)
    report = imported(currency=currency)

    answer = browser_of(someone("finance")).get(f"{PAGES}/breaks/?import_id={report.id}&format=csv")

    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == [str(report.id)]

"""Views that are kept under a name, and files that are made in the background."""

import csv
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from uuid_utils.compat import uuid7

from backoffice import exports
from backoffice.models import Export, ExportPart, SavedView
from events.clock import now
from events.models import AuditEntry
from tests.factories.money import fund, new_wallet
from tests.factories.people import someone
from transactions.models import Transaction
from users.models import User

pytestmark = pytest.mark.django_db
LIST = "/admin/transactions/"


def browser_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def kept(client: Client, **form: str) -> str:
    sent = {"name": "Refunds in euros", "query": "type=refund&currency=EUR", **form}
    return client.post("/admin/views/transactions/keep/", sent, follow=True).content.decode()


@pytest.fixture
def wallet_id() -> UUID:
    wallet_id = new_wallet()
    for amount in (100, 200, 300):
        fund(wallet_id, amount)
    return wallet_id


def test_when_a_view_is_kept_then_its_owner_alone_sees_it_until_it_is_shared() -> None:
    owner, colleague = browser_of(someone("finance")), browser_of(someone("support"))

    kept(owner)
    before = [client.get(LIST).content.decode() for client in (owner, colleague)]
    kept(owner, is_shared="on")
    after = colleague.get(LIST).content.decode()

    assert 'href="?type=refund&amp;currency=EUR"' in before[0]
    assert "Refunds in euros" not in before[1]
    assert "Refunds in euros" in after
    assert SavedView.objects.filter(name="Refunds in euros").count() == 1


@pytest.mark.parametrize("form", [{"name": " "}, {"name": "x" * 81}, {"query": ""}, {"query": "x" * 2001}])
def test_when_a_view_has_no_name_or_narrows_nothing_then_it_is_not_kept(form: dict[str, str]) -> None:
    page = kept(browser_of(someone("finance")), **form)

    assert "give the view a name" in page
    assert not SavedView.objects.exists()


def test_when_somebody_else_deletes_a_view_then_it_stays() -> None:
    owner = browser_of(someone("finance"))
    kept(owner, is_shared="on")
    path = f"/admin/views/{SavedView.objects.get().id}/forget/"

    refused = browser_of(someone("admin")).post(path).status_code
    stood = SavedView.objects.exists()
    owner.post(path)

    assert (refused, stood, SavedView.objects.exists()) == (404, True, False)
    assert AuditEntry.objects.filter(action="saved_view.forgotten").count() == 1


def test_when_a_file_is_asked_for_then_it_is_made_and_holds_exactly_the_narrowed_rows(
    wallet_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_IN_PART", 2)
    client = browser_of(someone("finance"))
    client.post("/admin/files/of/transactions/", {"query": f"wallet_id={wallet_id}"})
    export = Export.objects.get()
    waiting = client.get("/admin/files/").content.decode()
    early = client.get(f"/admin/files/{export.id}/").status_code
    fund(wallet_id, 400)

    made = exports.make_due_exports(export_id=export.id)
    sent = b"".join(client.get(f"/admin/files/{export.id}/").streaming_content).decode()

    lines = Transaction.objects.filter(account_id=wallet_id, amount__lt=400).order_by("-id")
    assert (made, early) == (1, 404)
    assert "processing" in waiting
    assert [row["id"] for row in csv.DictReader(sent.splitlines())] == [str(line.id) for line in lines]
    assert (Export.objects.get().rows, ExportPart.objects.count()) == (3, 2)


def test_when_its_worker_dies_then_the_next_one_goes_on_without_writing_a_row_twice(
    wallet_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_IN_PART", 2)
    client = browser_of(someone("finance"))
    client.post("/admin/files/of/transactions/", {"query": f"wallet_id={wallet_id}"})
    export = Export.objects.get()
    exports._write_part(export.id)
    leased = exports.make_due_exports(export_id=export.id)
    Export.objects.filter(id=export.id).update(due_at=now() - timedelta(seconds=1))

    again = exports.make_due_exports(export_id=export.id)
    sent = b"".join(client.get(f"/admin/files/{export.id}/").streaming_content).decode()

    assert (leased, again) == (0, 1)
    assert len({row["id"] for row in csv.DictReader(sent.splitlines())}) == 3
    assert sent.count("\n") == 4


def test_when_nothing_matches_then_the_file_is_done_and_holds_the_heading_alone() -> None:
    client = browser_of(someone("auditor"))
    client.post("/admin/files/of/transfers/", {"query": "reference=nobody-wrote-this"})
    export = Export.objects.get()

    exports.make_due_exports(export_id=export.id)

    sent = b"".join(client.get(f"/admin/files/{export.id}/").streaming_content).decode()
    assert sent.splitlines()[0].startswith("created_at,id,kind")
    assert len(sent.splitlines()) == 1


def test_when_a_file_is_somebody_else_s_or_not_to_be_understood_then_there_is_none(wallet_id: UUID) -> None:
    owner, other = browser_of(someone("finance")), browser_of(someone("admin"))
    owner.post("/admin/files/of/transactions/", {"query": f"wallet_id={wallet_id}"})
    export = Export.objects.get()
    exports.make_due_exports(export_id=export.id)

    statuses = [
        other.get(f"/admin/files/{export.id}/").status_code,
        owner.get(f"/admin/files/{uuid7()}/").status_code,
        owner.post("/admin/files/of/wallets/", {"query": ""}).status_code,
        owner.post("/admin/files/of/transactions/", {"query": "wallet_id=x"}).status_code,
    ]

    assert statuses == [404, 404, 404, 404]
    assert str(export.id) not in other.get("/admin/files/").content.decode()


def test_when_a_file_is_old_then_it_is_deleted_with_its_parts(wallet_id: UUID) -> None:
    client = browser_of(someone("finance"))
    for _ in range(2):
        client.post("/admin/files/of/transactions/", {"query": f"wallet_id={wallet_id}"})
    old, young = Export.objects.order_by("id")
    exports.make_due_exports()
    Export.objects.filter(id=old.id).update(finished_at=now() - timedelta(days=8))

    forgotten = exports.forget_old_exports()

    assert forgotten == 1
    assert list(Export.objects.values_list("id", flat=True)) == [young.id]
    assert list(ExportPart.objects.values_list("export_id", flat=True)) == [young.id]

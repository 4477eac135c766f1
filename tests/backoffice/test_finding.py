"""One box finds whatever is quoted, at once, and only what the role may see."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.test import Client
from uuid_utils.compat import uuid7

from backoffice.search.finding import HITS_SHOWN, find
from events import audit
from events.context import RequestContext, request_context
from events.models import OutboxEntry
from payments.models import Payment, ProviderEvent
from tests.factories.calls import ApiClient, unkeyed
from tests.factories.people import CustomerFactory, someone
from transactions.models import Transfer
from transactions.money import Money
from users.finding import find_people
from users.models import User
from wallets.transfers import pay

CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}


@dataclass(frozen=True)
class Shop:
    """Carla has saved a card, funded her wallet, and keeps some money back."""

    carla: User
    wallet: str
    token: str
    payment: Payment
    hold: str


@pytest.fixture
def shop(committed: None) -> Shop:
    carla = CustomerFactory.create(name=f"Carla Mü{uuid7().hex[-12:].upper()}")
    client = ApiClient(carla)
    wallet = client.post("/wallet", {"currency": "EUR"}).json()["id"]
    token = client.post("/tokens/card", CARD).json()["id"]
    funding = {"amount": 900, "currency": "EUR", "token_id": token}
    funded = client.post(f"/wallet/{wallet}/fund", funding, key=f"fund-{wallet}").json()
    hold = client.post(
        f"/wallet/{wallet}/holds", {"amount": 100, "currency": "EUR", "reference": f"bike-{wallet}"}
    ).json()["id"]
    return Shop(carla, wallet, token, Payment.objects.get(id=funded["payment_id"]), hold)


def found_by(term: object, role: str = "admin") -> dict[str, list[str]]:
    """Look for something as a role; give the keys that are found, by kind."""
    groups = find(str(term), someone(role)).groups
    return {group.kind.name: [str(hit.key) for hit in group.hits] for group in groups}


def test_when_an_id_of_anything_is_quoted_then_its_page_is_opened(shop: Shop) -> None:
    payment = shop.payment
    pages = {
        shop.wallet: shop.wallet,
        shop.token: shop.token,
        str(payment.id): str(payment.id),
        str(payment.transfer_id): str(payment.transfer_id),
        str(payment.transaction_id): str(payment.transaction_id),
        str(shop.carla.id): str(shop.carla.id),
        shop.hold: shop.hold,
        f"user:{shop.carla.id}": str(shop.carla.id),
        shop.wallet.upper(): shop.wallet,
        shop.wallet.replace("-", ""): shop.wallet,
        f"  {payment.processor_reference} ": str(payment.id),
    }

    opened = {term: find(term, someone("admin")).itself for term in pages}

    assert all(page in opened[term] for term, page in pages.items()), opened


def test_when_an_id_is_quoted_in_the_box_then_the_browser_is_sent_to_its_page(shop: Shop) -> None:
    client = Client()
    client.force_login(someone("support"))

    answer = client.get("/admin/search/", {"q": str(shop.payment.id)})

    assert answer.status_code == 302
    assert str(shop.payment.id) in answer["Location"]


@pytest.mark.parametrize(
    "term",
    [
        lambda carla: carla.email,
        lambda carla: carla.email.upper(),
        lambda carla: carla.email.partition("@")[0],
        lambda carla: carla.name.partition(" ")[2].lower(),
        lambda carla: carla.name.partition(" ")[2][:-2],
        lambda carla: ", ".join(reversed(carla.name.split())),
    ],
    ids=["address", "in capitals", "its beginning", "word of the name", "its beginning", "whole name"],
)
def test_when_a_person_is_quoted_then_they_are_found_with_what_is_theirs(shop: Shop, term: object) -> None:
    found = found_by(term(shop.carla))  # type: ignore[operator]

    assert found == {
        "user": [str(shop.carla.id)],
        "wallet": [shop.wallet],
        "payment": [str(shop.payment.id)],
        "token": [shop.token],
    }


def test_when_four_digits_are_quoted_then_cards_that_end_so_are_found(shop: Shop) -> None:
    assert shop.token in found_by("4242")["token"]
    assert found_by("4243") == {}


def test_when_the_key_of_a_call_is_quoted_then_what_it_made_is_found(shop: Shop) -> None:
    assert found_by(f"fund-{shop.wallet}") == {"payment": [str(shop.payment.id)]}


def test_when_a_reference_is_quoted_then_what_bears_it_is_found(shop: Shop) -> None:
    reference = f"order-{uuid7()}"
    pay(
        wallet_id=UUID(shop.wallet),
        amount=Money(99, "EUR"),
        owner_id=None,
        actor="service:x",
        call=unkeyed(),
        reference=reference,
    )

    assert found_by(reference) == {"transfer": [str(Transfer.objects.get(reference=reference).id)]}
    assert found_by(f"bike-{shop.wallet}") == {"hold": [shop.hold]}


def test_when_a_request_is_quoted_then_all_that_it_touched_is_found_though_nothing_is_published(
    shop: Shop,
) -> None:
    request_id = f"request-{uuid7()}"
    with request_context(RequestContext(request_id=request_id)):
        pay(wallet_id=UUID(shop.wallet), amount=Money(1, "EUR"), owner_id=None, actor="x", call=unkeyed())
        audit.record(actor="support:ann", action="wallet.noted", object_type="wallet", object_id=shop.wallet)
    transfer = Transfer.objects.get(request_id=request_id)

    found = found_by(request_id)

    assert OutboxEntry.objects.filter(request_id=request_id).exists()
    assert found["wallet"] == [shop.wallet]
    assert found["transfer"] == [str(transfer.id)]
    assert len(found["audit_entry"]) == 1


def test_when_a_providers_event_is_quoted_then_it_is_found(db: None) -> None:
    told = ProviderEvent.objects.create(
        provider="stripe",
        event_id="evt_1",
        type="charge.refunded",
        body={},
        received_at=datetime.now(UTC),
    )

    found = find("evt_1", someone("finance"))

    assert str(told.pk) in found.itself or [hit.key for hit in found.groups[0].hits] == [told.pk]


def test_when_the_role_may_not_see_a_kind_then_it_is_not_found(shop: Shop) -> None:
    request_id = f"request-{uuid7()}"
    with request_context(RequestContext(request_id=request_id)):
        audit.record(actor="x", action="wallet.noted", object_type="wallet", object_id=shop.wallet)

    assert set(found_by(request_id, "auditor")) == {"wallet", "audit_entry"}
    assert set(found_by(request_id, "support")) == {"wallet"}


def test_when_more_is_found_than_is_shown_then_it_is_said(db: None) -> None:
    people = [CustomerFactory.create(name="Zebedee Quux") for _ in range(HITS_SHOWN + 1)]

    (group,) = find("zebedee", someone("admin")).groups

    newest = sorted((person.id for person in people), reverse=True)
    assert [hit.key for hit in group.hits] == newest[:HITS_SHOWN]
    assert group.has_more


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", "&|!", ""])
def test_when_the_text_has_no_words_then_nobody_is_found(db: None, text: str) -> None:
    CustomerFactory.create(name="Ann")

    assert find_people(text, count=5) == []


def test_when_an_address_has_a_wildcard_in_it_then_it_stands_for_itself(db: None) -> None:
    wanted = CustomerFactory.create(email="a_b@people.example", name="")
    CustomerFactory.create(email="axb@people.example", name="")

    assert find_people("a_b@", count=5) == [wanted.id]


@pytest.mark.parametrize(
    "term", ["nothing-is-called-so", "01900000-0000-7000-8000-0000000000ff", "\x00", "x" * 5000, "🙂", "0000"]
)
def test_when_nothing_is_called_so_then_nothing_is_found(db: None, term: str) -> None:
    found = find(term, someone("admin"))

    assert (found.itself, list(found.groups)) == ("", [])


def test_when_nothing_is_found_then_few_questions_were_asked(
    db: None, django_assert_max_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    admin = someone("admin")

    with django_assert_max_num_queries(18):
        find("nothing-is-called-so", admin)

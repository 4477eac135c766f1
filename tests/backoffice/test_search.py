"""Staff find by any id or e-mail address."""

from collections.abc import Callable

import pytest
from django.test import Client

from events import audit
from events.context import RequestContext, request_context
from tests.backoffice.conftest import Scene
from tests.factories.calls import unkeyed
from tests.factories.money import new_wallet
from transactions.models import Transfer
from transactions.money import Money
from wallets.transfers import pay

Term = Callable[[Scene], object]


@pytest.mark.parametrize(
    "term",
    [
        lambda scene: scene.alices_wallet,
        lambda scene: scene.alice.id,
        lambda scene: scene.alice.email,
        lambda scene: f"  {scene.alice.email.upper()} ",
    ],
    ids=["wallet id", "user id", "e-mail", "e-mail in capitals"],
)
def test_when_wallets_are_searched_then_it_alone_is_found(staff: Client, scene: Scene, term: Term) -> None:
    new_wallet()

    answer = staff.get("/admin/wallets/wallet/", {"q": str(term(scene))})

    assert [wallet.pk for wallet in answer.context["cl"].result_list] == [scene.alices_wallet]


@pytest.mark.parametrize(
    "term",
    [
        lambda scene: scene.transfer,
        lambda scene: scene.debit,
        lambda scene: scene.credit,
        lambda scene: scene.bobs_wallet,
        lambda scene: scene.bob.id,
        lambda scene: scene.bob.email,
    ],
    ids=["transfer id", "debit id", "credit id", "wallet id", "user id", "e-mail"],
)
def test_when_transfers_are_searched_then_it_alone_is_found(staff: Client, scene: Scene, term: Term) -> None:
    new_wallet(500)

    answer = staff.get("/admin/transactions/transfer/", {"q": str(term(scene))})

    assert [transfer.id for transfer in answer.context["cl"].result_list] == [scene.transfer]


def test_when_transfers_are_searched_by_a_clients_reference_then_it_is_found(
    staff: Client, scene: Scene
) -> None:
    pay(
        wallet_id=scene.alices_wallet,
        amount=Money(99, "EUR"),
        owner_id=None,
        actor="service:x",
        call=unkeyed(),
        reference="order-4711",
    )
    wanted = Transfer.objects.get(reference="order-4711")

    answer = staff.get("/admin/transactions/transfer/", {"q": "order-4711"})

    assert list(answer.context["cl"].result_list) == [wanted]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (lambda scene: scene.credit, {"credit"}),
        (lambda scene: scene.transfer, {"debit", "credit"}),
        (lambda scene: scene.bobs_wallet, {"credit"}),
        (lambda scene: scene.bob.id, {"credit"}),
        (lambda scene: scene.bob.email, {"credit"}),
    ],
    ids=["transaction id", "transfer id", "wallet id", "user id", "e-mail"],
)
def test_when_transactions_are_searched_then_these_alone_are_found(
    staff: Client, scene: Scene, term: Term, expected: set[str]
) -> None:
    new_wallet(500)

    answer = staff.get("/admin/transactions/transaction/", {"q": str(term(scene))})

    assert {line.id for line in answer.context["cl"].result_list} == {
        getattr(scene, name) for name in expected
    }


@pytest.mark.parametrize("by", ["object", "actor", "request"])
def test_when_the_audit_trail_is_searched_then_the_entry_is_found(staff: Client, db: None, by: str) -> None:
    terms = {
        "object": "019aa000-0000-7000-8000-000000000001",
        "actor": "support:ann",
        "request": "request-77",
    }
    with request_context(RequestContext(request_id=terms["request"])):
        audit.record(actor="support:ann", action="looked", object_type="wallet", object_id=terms["object"])
    audit.record(actor="support:ben", action="looked", object_type="wallet", object_id="another")

    answer = staff.get("/admin/events/auditentry/", {"q": terms[by]})

    assert [entry.object_id for entry in answer.context["cl"].result_list] == [terms["object"]]


@pytest.mark.parametrize("which", ["alices_wallet", "transfer", "debit"])
def test_when_everything_is_searched_by_a_things_own_id_then_it_is_opened(
    staff: Client, scene: Scene, which: str
) -> None:
    wanted = getattr(scene, which)
    screens = {
        "alices_wallet": f"wallets/{wanted}/",
        "transfer": f"transactions/transfer/{wanted}/change/",
        "debit": f"transactions/transaction/{wanted}/change/",
    }

    answer = staff.get("/admin/search/", {"q": str(wanted)})

    assert answer.status_code == 302
    assert answer["Location"] == f"/admin/{screens[which]}"


@pytest.mark.parametrize("term", ["", "nobody@example.com", "%", "' OR 1=1 --", "x" * 5000, "🙂"])
@pytest.mark.parametrize(
    "path",
    [
        "/admin/search/",
        "/admin/wallets/wallet/",
        "/admin/transactions/transfer/",
        "/admin/events/auditentry/",
    ],
)
def test_when_a_term_finds_nothing_then_the_page_says_so(
    staff: Client, db: None, path: str, term: str
) -> None:
    answer = staff.get(path, {"q": term})

    assert answer.status_code == 200

"""Staff find by any id or e-mail address."""

from collections.abc import Callable

import pytest
from django.test import Client

from events import audit
from events.context import RequestContext, request_context
from tests.backoffice.conftest import Scene
from tests.factories.money import new_wallet

Term = Callable[[Scene], object]


@pytest.mark.parametrize(
    "term",
    [lambda scene: scene.alices_wallet, lambda scene: scene.alice.id],
    ids=["wallet id", "user id"],
)
def test_when_accounts_are_searched_then_it_alone_is_found(staff: Client, scene: Scene, term: Term) -> None:
    new_wallet()

    answer = staff.get("/admin/transactions/ledgeraccount/", {"q": str(term(scene))})

    assert [account.pk for account in answer.context["cl"].result_list] == [scene.alices_wallet]


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
        "/admin/transactions/ledgeraccount/",
        "/admin/events/event/",
        "/admin/events/auditentry/",
    ],
)
def test_when_a_term_finds_nothing_then_the_page_says_so(
    staff: Client, db: None, path: str, term: str
) -> None:
    answer = staff.get(path, {"q": term})

    assert answer.status_code == 200

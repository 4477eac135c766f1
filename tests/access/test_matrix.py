"""Who may call what, for every route of the URL table: by role, by token, and by whose thing it is."""

import re
from typing import Any

import pytest
from django.urls import get_resolver

from config.checks import API, served_routes
from tests.access.matrix import MATRIX, Call
from tests.access.scene import filled, ghosts, made, telling, two_customers
from tests.factories.books import books
from tests.factories.calls import ApiClient
from tests.factories.people import CustomerFactory, someone
from tokens.models import PaymentToken
from users.roles import AUTHENTICATED, PUBLIC, ROLES

CALLS = [pytest.param(method, path, call, id=f"{method} {path}") for (method, path), call in MATRIX.items()]


def allowed(client: ApiClient, call: Call) -> ApiClient:
    """Give the customer's client back, or that of a role that may make the call where no customer may."""
    scopes = (call.scope,) if isinstance(call.scope, str) else call.scope
    is_for_customers = ROLES["user"].union({PUBLIC, AUTHENTICATED}).intersection(scopes)
    if is_for_customers:
        return client
    return ApiClient(someone(next(role for role, held in ROLES.items() if held.intersection(scopes))))


@pytest.fixture
def people(committed) -> tuple[ApiClient, dict[str, str], dict[str, str]]:
    """Two customers with one of everything: the first one's client and ids, and the other one's ids."""
    return two_customers()


@pytest.fixture(scope="module")
def lasting_people(django_db_setup, django_db_blocker) -> tuple[ApiClient, dict[str, str], dict[str, str]]:
    """The same two for all calls that are refused: each of those tests proves that it has left them as they were."""
    with django_db_blocker.unblock():
        return two_customers()


@pytest.fixture
def bystanders(committed, lasting_people) -> tuple[ApiClient, dict[str, str], dict[str, str]]:
    """Two customers whom no test changes."""
    return lasting_people


def test_when_the_url_table_is_walked_then_every_route_of_the_api_is_in_the_matrix():
    routes = {
        (method.upper(), "/" + re.sub(r"<uuid:(\w+)_id>", r"{\1}", path.removeprefix(API)))
        for path, pattern in served_routes(get_resolver().url_patterns)
        if path.startswith(API)
        for method in pattern.callback.actions
        if method != "head"  # a viewset gives itself one as soon as it is called
    }

    assert routes == set(MATRIX)


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "call"), CALLS)
@pytest.mark.parametrize("role", sorted(ROLES))
def test_when_a_role_makes_a_call_then_only_its_permissions_open_it(method, path, call, role):
    scopes = (call.scope,) if isinstance(call.scope, str) else call.scope
    may = bool({PUBLIC, AUTHENTICATED}.intersection(scopes)) or bool(ROLES[role].intersection(scopes))
    before = books()

    answer = made(ApiClient(someone(role)), method, path, call, ghosts())

    if path == "/auth/me/notifications" and role == "service":
        may = False  # a program gets no notices
    assert (answer.status_code != 403) == may
    if not may:
        assert answer.json()["code"] == "permission_denied"
        assert books() == before
    assert answer.status_code < 500


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "call"), CALLS)
@pytest.mark.parametrize(
    ("header", "code"),
    [({}, "not_authenticated"), ({"authorization": "Bearer x.y.z"}, "invalid_token")],
    ids=["without a token", "with a forged token"],
)
def test_when_nobody_is_logged_in_then_only_public_calls_are_answered(method, path, call, header, code):
    known = made(ApiClient(CustomerFactory.create()), method, path, call, ghosts())
    before = books()

    answer = ApiClient().call(method, filled(path, ghosts()), filled(call.body, ghosts()), **header)

    if call.scope == PUBLIC:
        assert answer.status_code == known.status_code
        assert answer.json().get("code") == known.json().get("code")
    else:
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert books() == before


SLOTS = [
    pytest.param(method, path, call, slot, id=f"{method} {path}: {slot}")
    for (method, path), call in MATRIX.items()
    for slot in [*re.findall(r"{(\w+)}", path), *call.foreign]
]


@pytest.mark.parametrize(("method", "path", "call", "slot"), SLOTS)
def test_when_a_customer_names_what_belongs_to_another_then_it_looks_as_if_it_did_not_exist(
    bystanders, method, path, call, slot
):
    client, own, foreign = bystanders
    scopes = (call.scope,) if isinstance(call.scope, str) else call.scope
    expected = (404, "not_found") if ROLES["user"].intersection(scopes) else (403, "permission_denied")
    before, tokens_before = books(), set(PaymentToken.objects.values_list("id", "status"))

    def call_with(others: dict[str, str]) -> Any:
        if slot in call.foreign:
            kind = slot.removesuffix("_id").removeprefix("from_")
            return made(client, method, path, call, own, **{slot: others[kind]})
        return made(client, method, path, call, {**own, slot: others[slot]})

    theirs, nobody_s = call_with(foreign), call_with(ghosts())

    assert (theirs.status_code, theirs.json()["code"]) == expected
    assert (nobody_s.status_code, nobody_s.json()["code"]) == expected
    assert telling(theirs) == telling(nobody_s)
    assert set(theirs.headers) == set(nobody_s.headers)
    assert books() == before
    assert set(PaymentToken.objects.values_list("id", "status")) == tokens_before


def test_when_a_row_of_a_batch_names_another_s_wallet_then_that_row_looks_as_if_it_did_not_exist(people):
    client, own, foreign = people
    call = MATRIX["POST", "/wallet/transfer/batch"]
    before = books()

    rows = []
    for others in (foreign, ghosts()):
        body = filled(call.body, {**own, "wallet": others["wallet"]})
        rows.append(client.post("/wallet/transfer/batch", body).json()["results"])

    assert rows[0] == rows[1]
    assert [row["code"] for row in rows[0]] == ["not_found"]
    changed = {table for table, rows_now in books().items() if rows_now != before[table]}
    assert changed <= {"transactions_idempotencykey"}


@pytest.mark.parametrize(("method", "path", "call"), CALLS)
def test_when_a_customer_uses_its_own_ids_then_the_call_is_found(people, method, path, call):
    """The counterpart: without it a typing error in the matrix would pass for privacy."""
    client, own, _foreign = people

    answer = made(client, method, path, call, own)

    assert answer.status_code not in (404, 405, 415)
    assert answer.status_code < 500
    if answer.status_code < 300 and call.scope != PUBLIC:
        assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("method", "path", "call"), CALLS)
def test_when_a_query_has_an_unknown_parameter_then_it_is_refused_by_name(bystanders, method, path, call):
    client, own, _foreign = bystanders
    client = allowed(client, call)
    before = books()

    answer = client.call(method, filled(path, own) + "?sataus=completed", filled(call.body, own))

    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")
    assert [error["field"] for error in answer.json()["errors"]] == ["sataus"]
    assert books() == before


@pytest.mark.parametrize(
    ("method", "path", "call"), [param for param in CALLS if param.values[2].body is not None]
)
def test_when_a_body_has_an_unknown_field_then_it_is_refused_by_name(bystanders, method, path, call):
    client, own, _foreign = bystanders
    client = allowed(client, call)
    before = books()

    answer = client.call(method, filled(path, own), {**filled(call.body, own), "ammount": 1})

    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field")
    assert "ammount" in [error["field"] for error in answer.json()["errors"]]
    assert books() == before

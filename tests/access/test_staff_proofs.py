"""Which actions ask once more who it is: a closed list, and every one of them by what it does."""

import pytest
from django.test import Client

from tests.access.staff_matrix import ASKS_NOBODY, DECIDING, PAGES, PROVED
from tests.access.test_staff_matrix import ROUTES, path_of
from tests.factories.books import nothing_moves
from tests.factories.people import someone
from tests.factories.staff import let_proof_grow_old


def test_when_actions_are_listed_then_those_that_ask_are_the_ones_that_declare_it() -> None:
    asking = {name for name, route in ROUTES.items() if getattr(route.callback, "needs_proof", False)}

    assert asking == PROVED


def test_when_an_action_decides_then_it_asks_or_is_known_to_move_nothing() -> None:
    deciding = {name for name, permissions in PAGES.items() if not DECIDING.isdisjoint(permissions)}

    assert deciding - PROVED == ASKS_NOBODY


@pytest.mark.parametrize("name", sorted(PROVED))
def test_when_the_proof_is_old_then_the_action_asks_and_does_nothing(db: None, name: str) -> None:
    person = someone("admin")
    client = Client()
    client.force_login(person)
    let_proof_grow_old(person)

    with nothing_moves():
        page = client.post(path_of(name), {"reason": "x"}).content.decode()

    assert "Is it you?" in page
    assert '<input type="hidden" name="reason" value="x">' in page

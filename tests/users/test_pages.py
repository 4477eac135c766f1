"""Keyset pages over a list whose order has ties."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from users.api.bodies import InvalidRequest
from users.api.pages import InvalidCursor, PageQuery, Seek, page, seek_rows
from users.models import User

pytestmark = pytest.mark.django_db


def request_of(url: str) -> Request:
    """A GET as a view sees it."""
    return Request(APIRequestFactory().get(url))


def read(url: str) -> dict[str, Any]:
    """Answer one page of users by name, then id, newest first."""
    request = request_of(url)

    def fetch(seek: Seek) -> list[User]:
        return seek_rows(User.objects.all(), seek, by=("name", "id"))

    return page(
        request,
        fetch,
        query=PageQuery.read(request),
        key=lambda user: (user.name, user.id),
        shape=lambda user: f"{user.name}{user.locale}",
    )


@pytest.fixture
def seven(new_user: Any) -> list[str]:
    """Seven users, four of one name; newest first."""
    names = ["a", "b", "b", "b", "b", "c", "d"]
    for number, name in enumerate(names):
        new_user(name=name, locale=str(number))
    return ["d6", "c5", "b4", "b3", "b2", "b1", "a0"]


def test_when_pages_are_followed_then_each_row_comes_once_in_order(seven: list[str]) -> None:
    pages = [read("/people?limit=3")]
    while pages[-1]["next"]:
        pages.append(read(pages[-1]["next"]))

    assert [shown["results"] for shown in pages] == [["d6", "c5", "b4"], ["b3", "b2", "b1"], ["a0"]]
    assert pages[0]["previous"] is None


def test_when_pages_are_followed_back_then_the_same_pages_come(seven: list[str]) -> None:
    second = read(read("/people?limit=3")["next"])
    third = read(second["next"])

    back = read(third["previous"])
    first = read(back["previous"])

    assert back["results"] == second["results"] == ["b3", "b2", "b1"]
    assert first["results"] == ["d6", "c5", "b4"]
    assert first["previous"] is None
    assert read(first["next"])["results"] == ["b3", "b2", "b1"]


def test_when_rows_come_in_front_then_the_next_page_is_the_same(seven: list[str], new_user: Any) -> None:
    following = read("/people?limit=3")["next"]
    new_user(name="z", locale="9")

    assert read(following)["results"] == ["b3", "b2", "b1"]


def test_when_the_list_fits_on_a_page_then_there_are_no_links(seven: list[str]) -> None:
    shown = read("/people?limit=7")

    assert shown == {"results": seven, "next": None, "previous": None}


def test_when_the_list_is_empty_then_the_page_is() -> None:
    assert read("/people") == {"results": [], "next": None, "previous": None}


def test_when_no_limit_is_given_then_a_page_has_twenty(new_user: Any) -> None:
    for _ in range(21):
        new_user()

    shown = read("/people")

    assert len(shown["results"]) == 20
    assert len(read(shown["next"])["results"]) == 1


def test_when_a_link_is_made_then_it_is_absolute_and_keeps_the_parameters(seven: list[str]) -> None:
    link = urlsplit(read("/people?limit=3")["next"])

    assert (link.scheme, link.netloc, link.path) == ("http", "testserver", "/people")
    assert set(parse_qs(link.query)) == {"limit", "cursor"}
    assert parse_qs(link.query)["limit"] == ["3"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", ""])
def test_when_the_limit_is_out_of_bounds_then_it_is_refused(limit: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(f"/people?limit={limit}")

    assert [error["field"] for error in refused.value.errors] == ["limit"]


def test_when_any_character_of_a_cursor_is_changed_then_it_is_refused(seven: list[str]) -> None:
    cursor = parse_qs(urlsplit(read("/people?limit=3")["next"]).query)["cursor"][0]
    refused = 0

    for position, character in enumerate(cursor):
        forged = cursor[:position] + ("A" if character != "A" else "B") + cursor[position + 1 :]
        with pytest.raises(InvalidCursor):
            read(f"/people?limit=3&cursor={forged}")
        refused += 1

    assert refused == len(cursor) > 60


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%C3%A9", "a b", "e30", "A" * 1000])
def test_when_a_cursor_is_made_up_then_it_is_refused(seven: list[str], cursor: str) -> None:
    with pytest.raises(InvalidCursor) as refused:
        read(f"/people?cursor={cursor}")

    assert (refused.value.status_code, refused.value.code) == (400, "invalid_cursor")


def test_when_a_cursor_comes_from_another_list_then_it_is_refused(seven: list[str]) -> None:
    following = read("/people?limit=3")["next"]

    with pytest.raises(InvalidCursor):
        read(following.replace("/people", "/others"))

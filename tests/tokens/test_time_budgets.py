"""What is done for one caller shares one budget of time, and calls to providers keep to it."""

import time
from collections.abc import Iterator

import pytest

from tests.contracts.provider_server import ProviderServer
from tests.tokens.test_provider_calls import Counting, send
from tokens.providers.calls import Limits, NoAnswer, NotSent
from tokens.providers.time_budgets import ends_at, time_budget

GENEROUS = Limits(connect_s=5.0, read_s=5.0, total_s=20.0, attempts=3)


@pytest.fixture
def provider() -> Iterator[tuple[Counting, str]]:
    books = Counting()
    server = ProviderServer(books)
    yield books, server.url
    server.stop()


def test_when_there_is_no_budget_then_nothing_ends():
    assert ends_at() == float("inf")


def test_when_budgets_are_nested_then_the_tighter_one_holds_and_each_ends_with_its_block():
    with time_budget(10):
        outer = ends_at()
        with time_budget(60):
            assert ends_at() == outer
        with time_budget(1):
            assert ends_at() < outer
        assert ends_at() == outer
    assert ends_at() == float("inf")


def test_when_the_provider_is_slower_than_the_budget_then_nobody_waits_for_it(provider):
    books, url = provider
    books.fail_next("timeout_after")
    began = time.monotonic()

    with pytest.raises(NoAnswer), time_budget(0.4):
        send(url, limits=GENEROUS)

    assert time.monotonic() - began < 2
    assert books.acted == {"k-1"}


def test_when_no_time_is_left_then_the_provider_isn_t_asked(provider):
    books, url = provider

    with pytest.raises(NotSent), time_budget(0):
        send(url, limits=GENEROUS)

    assert books.acted == set()


def test_when_the_budget_is_large_then_the_call_s_own_limits_hold(provider):
    _books, url = provider

    with time_budget(60):
        assert send(url).status == 201

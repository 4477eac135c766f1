"""Wallets for showing: the cache takes newer versions only, and its loss loses nothing."""

import time
from types import SimpleNamespace

import pytest
from django.db import transaction
from django_redis import get_redis_connection
from redis.exceptions import ConnectionError as RedisConnectionError

from events import redis_link
from tests.factories.calls import ACTOR, ApiClient, unkeyed
from tests.factories.money import fund, new_wallet
from tests.factories.people import CustomerFactory
from tests.races.processes import race
from transactions.idempotency import Answer
from transactions.money import Money
from wallets import cached_reads
from wallets.lifecycle import describe_wallet
from wallets.queries import wallet_by_id
from wallets.transfers import pay


@pytest.fixture(autouse=True)
def cache_is_in_use():
    redis_link.link.leave()
    redis_link.link.paused_until_s = 0.0
    yield
    redis_link.link.leave()
    redis_link.link.paused_until_s = 0.0


def spend(wallet_id, amount: int) -> None:
    pay(wallet_id=wallet_id, amount=Money(amount, "USD"), owner_id=None, actor=ACTOR, call=unkeyed())


def stored(wallet_id) -> bytes | None:
    return get_redis_connection("default").get(f"ow:wallet:{wallet_id}")


def shown(wallet_id) -> tuple[int, bytes]:
    found = cached_reads.read_wallet(wallet_id)
    assert found is not None
    return found.version, found.body


def test_when_money_moves_then_the_cache_has_the_new_balance_at_commit_for_5_minutes(committed):
    wallet_id = new_wallet(1_000)

    spend(wallet_id, 300)

    value = stored(wallet_id)
    assert int(value[:19]) == 3
    assert b'"balance":700' in value
    assert 295 <= get_redis_connection("default").ttl(f"ow:wallet:{wallet_id}") <= 300
    assert shown(wallet_id)[0] == 3


def test_when_a_movement_is_rolled_back_then_the_cache_never_hears_of_it(committed):
    wallet_id = new_wallet(1_000)
    before = stored(wallet_id)

    with transaction.atomic():
        spend(wallet_id, 300)
        transaction.set_rollback(True)

    assert stored(wallet_id) == before
    assert b'"balance":1000' in shown(wallet_id)[1]


def test_when_an_older_version_comes_late_then_the_newer_one_stays(committed):
    wallet_id = new_wallet(1_000)
    older = wallet_by_id(wallet_id, owner_id=None)
    fund(wallet_id, 1)
    newer = stored(wallet_id)

    cached_reads.replace([older])

    assert stored(wallet_id) == newer
    assert b'"balance":1001' in newer


def test_when_versions_have_different_lengths_then_they_are_compared_as_numbers(committed):
    wallet = wallet_by_id(new_wallet(1_000), owner_id=None)
    for version, balance in ((9, 9), (10, 10), (9, 11)):
        wallet.version, wallet.balance = version, balance
        cached_reads.replace([wallet])

    assert int(stored(wallet.id)[:19]) == 10
    assert b'"balance":10,' in stored(wallet.id)


def test_when_the_cache_holds_a_wallet_then_the_database_is_not_asked(committed, monkeypatch):
    wallet_id = new_wallet(1_000)
    expected = shown(wallet_id)
    monkeypatch.setattr(cached_reads, "run", None)

    assert shown(wallet_id) == expected


def test_when_the_cache_lies_then_money_does_not_believe_it(committed):
    wallet = wallet_by_id(new_wallet(1_000), owner_id=None)
    wallet.version, wallet.balance = 99, 5
    cached_reads.replace([wallet])

    spend(wallet.id, 1_000)

    assert wallet_by_id(wallet.id, owner_id=None).balance == 0


def test_when_redis_is_down_then_the_database_answers_and_redis_is_left_alone_for_5_seconds(
    committed, monkeypatch
):
    calls = []

    def refuse(*command) -> None:
        calls.append(command)
        raise RedisConnectionError("gone")

    down = SimpleNamespace(send_command=refuse, disconnect=lambda: None)
    pool = SimpleNamespace(connection_pool=SimpleNamespace(make_connection=lambda: down))
    monkeypatch.setattr(redis_link, "get_redis_connection", lambda _alias: pool)
    wallet_id = new_wallet(1_000)
    spend(wallet_id, 300)

    found = [shown(wallet_id) for _ in range(3)]

    assert [version for version, _body in found] == [3, 3, 3]
    assert b'"balance":700' in found[0][1]
    assert len(calls) == 1
    assert 4 < redis_link.link.paused_until_s - time.monotonic() <= 5


def test_when_the_connection_to_redis_was_dropped_then_the_next_read_opens_a_new_one(committed, monkeypatch):
    wallet_id = new_wallet(1_000)
    number = redis_link.link.ask("CLIENT", "ID")
    get_redis_connection("default").execute_command("CLIENT", "KILL", "ID", number)
    monkeypatch.setattr(cached_reads, "run", None)

    assert b'"balance":1000' in shown(wallet_id)[1]
    assert redis_link.link.ask("CLIENT", "ID") != number


def test_when_a_process_forks_then_the_child_does_not_share_its_parent_s_connection(committed):
    number = redis_link.link.ask("CLIENT", "ID")

    (outcome,) = race([[lambda: Answer(200, b"%d" % redis_link.link.ask("CLIENT", "ID"))]])

    assert int(outcome.answers[0].body) != number
    assert redis_link.link.ask("CLIENT", "ID") == number


def test_when_there_is_no_redis_then_every_read_asks_the_database(committed, settings):
    settings.REDIS_URL = ""
    wallet_id = new_wallet(1_000)

    assert b'"balance":1000' in shown(wallet_id)[1]
    assert stored(wallet_id) is None


def test_when_a_customer_reads_over_http_then_it_sees_its_own_last_change_and_an_etag_that_follows_it(
    committed,
):
    customer = CustomerFactory.create()
    client, wallet_id = ApiClient(customer), new_wallet(1_000, owner=customer)

    first = client.get(f"/wallet/{wallet_id}")
    same = client.get(f"/wallet/{wallet_id}", **{"if-none-match": first["ETag"]})
    assert client.patch(f"/wallet/{wallet_id}", {"label": "Trips"}).status_code == 200
    spend(wallet_id, 1)
    changed = client.get(f"/wallet/{wallet_id}", **{"if-none-match": first["ETag"]})

    assert (first.status_code, same.status_code, same.content) == (200, 304, b"")
    assert changed.status_code == 200
    body = changed.json()
    assert list(body) == [
        "id",
        "user_id",
        "currency",
        "balance",
        "held",
        "available",
        "status",
        "label",
        "metadata",
        "created_at",
        "updated_at",
    ]
    assert (body["balance"], body["available"], body["label"]) == (999, 999, "Trips")
    assert changed["Cache-Control"] == "no-store"


def test_when_a_wallet_is_described_then_the_cache_shows_it_at_commit(committed):
    wallet_id = new_wallet()

    describe_wallet(wallet_id=wallet_id, owner_id=None, actor=ACTOR, call=unkeyed(), label="Trips")

    assert b'"label":"Trips"' in stored(wallet_id)

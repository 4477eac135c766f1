"""Reads from a real standby: who serves them while it keeps up, lags, dies, and is promoted behind our back."""

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from config.gateway.standing_figures import ReplicaFigures
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import APPLICATION_ROLE, DATABASE, OWNER_ROLE
from tests.factories.calls import ApiClient
from tests.factories.money import fund, new_wallet
from tests.factories.people import CustomerFactory
from tests.scale.two_servers import Pair, make_pair, wait_until
from transactions import chart, replicas
from transactions.integrity import check_books
from transactions.prepared import PRIMARY, run
from transactions.replicas import REPLICA

ROUNDS = 20
PLACE = ("HOST", "PORT", "USER", "PASSWORD", "NAME")


@pytest.fixture(scope="module")
def pair(tmp_path_factory, django_db_setup, django_db_blocker) -> Iterator[Pair]:
    """Two servers; the application works on the first and may read from the second."""
    made = make_pair(tmp_path_factory.mktemp("two-servers"))
    secrets = made.primary.cluster.data.secrets()
    places = {
        "default": (APPLICATION_ROLE, secrets["application_password"]),
        "owner": (OWNER_ROLE, secrets["owner_password"]),
    }
    kept = {}
    with django_db_blocker.unblock():
        for alias, (role, password) in places.items():
            connections[alias].close()
            parameters = connections[alias].settings_dict
            kept[alias] = {name: parameters[name] for name in PLACE}
            there = (LOOPBACK, str(made.primary.cluster.port), role, password, DATABASE)
            parameters.update(zip(PLACE, there, strict=True))
        replica = deepcopy(connections["default"].settings_dict)
        replica["PORT"] = str(made.standby.cluster.port)
        replica["OPTIONS"]["options"] += " -c default_transaction_read_only=on"
        replica["OPTIONS"]["connect_timeout"] = 2
        settings.DATABASES[REPLICA] = connections.settings[REPLICA] = replica
        try:
            call_command("migrate", database="owner", verbosity=0, skip_checks=True)
            # What this process has seen of the other database's system accounts says nothing of this one's.
            chart._opened.clear()
            yield made
            assert [breach for _proof, found in check_books() for breach in found] == []
        finally:
            connections[REPLICA].close()
            del connections[REPLICA]
            settings.DATABASES.pop(REPLICA, None)
            connections.settings.pop(REPLICA, None)
            chart._opened.clear()
            for alias, parameters in kept.items():
                connections[alias].close()
                connections[alias].settings_dict.update(parameters)
            made.standby.stop()
            made.primary.stop()


@pytest.fixture(autouse=True)
def nobody_avoided(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "_avoid_until_s", 0.0)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections from which the pages of the test come, in their order."""
    found: list[str] = []
    read_from = replicas.read_from

    def noted(using: str, fetch: Callable[[str], Any]) -> Any:
        def fetched(alias: str) -> Any:
            page = fetch(alias)
            found.append(alias)
            return page

        return read_from(using, fetched)

    monkeypatch.setattr(replicas, "read_from", noted)
    return found


def server_of(*account_ids) -> str:
    """Tell which server really answers a read of these accounts."""
    (row,) = replicas.read_accounts(
        account_ids, lambda using: run("SELECT pg_is_in_recovery()", (), using=using)
    )
    return REPLICA if row[0] else PRIMARY


def test_when_the_standby_has_caught_up_then_it_serves(pair):
    wallet_id = new_wallet(500)
    pair.catch_up()

    assert server_of(wallet_id) == REPLICA
    assert replicas.read_report(lambda using: using) == REPLICA


def test_when_the_standby_lags_then_prometheus_is_told_by_how_much(pair):
    def told() -> dict[str, float]:
        return {metric.name: metric.samples[0].value for metric in ReplicaFigures().collect()}

    wallet_id = new_wallet(500)
    pair.catch_up()
    caught_up = told()
    pair.pause_replay()
    fund(wallet_id, 1)
    lagging = told()
    pair.catch_up()

    assert caught_up == {
        "open_wallet_replica_up": 1,
        "open_wallet_replica_lag_bytes": 0,
        "open_wallet_replica_lag_seconds": 0,
    }
    assert lagging["open_wallet_replica_lag_bytes"] > 0
    assert lagging["open_wallet_replica_lag_seconds"] > 0


def test_when_the_standby_lags_then_it_isn_t_asked_for_what_it_lacks_until_it_has_it(pair):
    wallet_id, other_id = new_wallet(500), new_wallet(500)
    pair.catch_up()
    pair.pause_replay()
    fund(wallet_id, 1)

    lagging = (
        server_of(wallet_id),
        server_of(wallet_id, other_id),
        server_of(other_id),
        server_of(new_wallet(5)),
    )
    pair.catch_up()
    caught_up = server_of(wallet_id, other_id)

    assert lagging == (PRIMARY, PRIMARY, REPLICA, PRIMARY)
    assert caught_up == REPLICA


def test_when_the_standby_is_older_than_a_report_may_be_then_the_primary_reports(pair, monkeypatch):
    monkeypatch.setattr(replicas, "STALE_AFTER_S", 0.2)
    wallet_id = new_wallet(500)
    pair.catch_up()
    pair.pause_replay()
    fund(wallet_id, 1)
    time.sleep(0.3)

    stale = replicas.read_report(lambda using: using)
    pair.catch_up()

    assert stale == PRIMARY
    # The servers write of their own accord, too: what counts is that it serves again.
    wait_until(
        lambda: replicas.read_report(lambda using: using) == REPLICA, what="the standby to report again"
    )


def test_when_an_owner_reads_what_it_has_just_written_then_it_is_there_however_the_standby_keeps_up(
    pair, served
):
    owner = CustomerFactory.create()
    wallet_id = new_wallet(1_000, owner=owner)
    api = ApiClient(owner)
    paid, shown = [], []

    def pay_and_look() -> None:
        paid.append(api.post(f"/wallet/{wallet_id}/pay", {"amount": 1, "currency": "USD"}).json()["id"])
        shown.append(api.get(f"/wallet/{wallet_id}/transactions").json()["results"][0]["id"])

    for _ in range(ROUNDS):
        pay_and_look()
    pair.catch_up()
    pair.pause_replay()
    served.clear()
    for _ in range(ROUNDS):
        pay_and_look()
    while_it_lagged = set(served)
    pair.catch_up()
    served.clear()
    last = api.get(f"/wallet/{wallet_id}/transactions").json()["results"][0]["id"]

    assert shown == paid
    assert while_it_lagged == {PRIMARY}
    assert (last, set(served)) == (paid[-1], {REPLICA})


def test_when_the_standby_dies_then_nobody_notices_and_it_serves_again_when_it_is_back(
    pair, served, monkeypatch
):
    owner = CustomerFactory.create()
    wallet_id = new_wallet(1_000, owner=owner)
    api = ApiClient(owner)
    pair.catch_up()
    before = api.get(f"/wallet/{wallet_id}/transactions").status_code, list(served)

    pair.standby.kill()
    started_s = time.monotonic()
    answers = [api.get(f"/wallet/{wallet_id}/transactions").status_code for _ in range(ROUNDS)]
    took_s = time.monotonic() - started_s
    from_whom = set(served[1:])
    pair.standby.start()
    monkeypatch.setattr(replicas, "_avoid_until_s", 0.0)
    pair.catch_up()
    served.clear()
    again = api.get(f"/wallet/{wallet_id}/transactions").status_code

    assert before == (200, [REPLICA])
    assert answers == [200] * ROUNDS
    assert from_whom == {PRIMARY}
    assert took_s < 15
    assert (again, served) == (200, [REPLICA])


def test_when_the_standby_dies_between_being_chosen_and_being_read_then_the_page_comes_from_the_primary(pair):
    wallet_id = new_wallet(500)
    pair.catch_up()
    asked = []

    def fetch(using: str) -> Any:
        asked.append(using)
        if using == REPLICA:
            pair.standby.kill()
        return run("SELECT pg_is_in_recovery()", (), using=using)

    found = replicas.read_accounts([wallet_id], fetch)
    pair.standby.start()

    assert (found, asked) == ([(False,)], [REPLICA, PRIMARY])


def test_when_the_standby_is_promoted_behind_our_back_then_it_serves_nothing_new_and_takes_no_write(pair):
    wallet_id = new_wallet(500)
    pair.catch_up()
    pair.standby.ask("SELECT pg_promote()")
    wait_until(lambda: pair.standby.ask("SELECT pg_is_in_recovery()") == (False,), what="the promotion")
    fund(wallet_id, 1)

    assert replicas.read_accounts([wallet_id], lambda using: using) == PRIMARY
    with pytest.raises(Exception, match="read-only transaction"):
        run("UPDATE transactions_ledgeraccount SET balance = 0", (), using=REPLICA)

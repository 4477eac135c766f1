"""Who reads from where: a second database that lags stands in for the replica, on the same server."""

from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.conf import settings
from django.db import OperationalError, connections, transaction
from uuid_utils.compat import uuid7

from tests.factories.calls import ACTOR, ApiClient
from tests.factories.money import fund, funding_entries, locked, new_wallet
from tests.factories.people import CustomerFactory, someone
from transactions import ledger, replicas
from transactions.history import HistoryFilter, wallet_history
from transactions.models import PostingStatus, TransferKind
from transactions.movements import Movement
from transactions.prepared import PRIMARY, run
from transactions.queries import load_movement

COPIED = ("transactions_ledgeraccount", "transactions_transfer", "transactions_transaction")


class Replica:
    """A copy of the book that is only as new as its last `catch_up`."""

    def __init__(self, schema: str) -> None:
        self.schema = schema

    def catch_up(self) -> None:
        """Copy the book as it stands."""
        with connections["owner"].cursor() as cursor:
            for table in COPIED:
                cursor.execute(f"DROP TABLE IF EXISTS {self.schema}.{table}")
                cursor.execute(f"CREATE TABLE {self.schema}.{table} AS TABLE public.{table}")
            cursor.execute(f"GRANT USAGE ON SCHEMA {self.schema} TO PUBLIC")
            cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {self.schema} TO PUBLIC")


@pytest.fixture
def replica(committed, monkeypatch) -> Iterator[Replica]:
    """A replica that has caught up with everything until now."""
    monkeypatch.setattr(replicas, "_avoid_until_s", 0.0)
    stand_in = Replica(f"replica_{uuid7().hex}")
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {stand_in.schema}")
    parameters = deepcopy(settings.DATABASES[PRIMARY])
    parameters["OPTIONS"]["options"] += (
        f" -c search_path={stand_in.schema},public -c default_transaction_read_only=on"
    )
    monkeypatch.setitem(settings.DATABASES, replicas.REPLICA, parameters)
    monkeypatch.setitem(connections.settings, replicas.REPLICA, parameters)
    stand_in.catch_up()
    yield stand_in
    connections[replicas.REPLICA].close()
    del connections[replicas.REPLICA]
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {stand_in.schema} CASCADE")


def read_by(*account_ids) -> str:
    """Tell which connection serves a read of these accounts."""
    return replicas.read_accounts(account_ids, lambda using: using)


def reserve(wallet_id) -> Movement:
    """Begin money on its way in: pending, and nothing on the account's row."""
    with transaction.atomic():
        return ledger.reserve(
            Movement(kind=TransferKind.FUNDING, actor=ACTOR), funding_entries(locked(wallet_id), 300)
        )


def give_up(movement: Movement) -> None:
    """End it as failed."""
    with transaction.atomic():
        pending = load_movement(movement.id)
        ledger.release(pending, {}, status=PostingStatus.FAILED, failure_code="declined")


def test_when_there_is_no_replica_then_the_primary_serves(committed):
    wallet_id = new_wallet(500)

    assert read_by(wallet_id) == PRIMARY
    assert replicas.read_report(lambda using: using) == PRIMARY


def test_when_the_replica_has_all_of_the_account_then_it_serves(replica):
    wallet_id = new_wallet(500)
    replica.catch_up()

    assert read_by(wallet_id) == replicas.REPLICA


def test_when_the_replica_lacks_the_account_then_the_primary_serves(replica):
    assert read_by(new_wallet(500)) == PRIMARY


def test_when_the_replica_lacks_one_line_of_one_account_then_the_primary_serves(replica):
    wallet_id, other_id = new_wallet(500), new_wallet(500)
    replica.catch_up()
    fund(wallet_id, 1)

    assert read_by(wallet_id) == PRIMARY
    assert read_by(wallet_id, other_id) == PRIMARY
    assert read_by(other_id) == replicas.REPLICA


def test_when_a_pending_credit_has_begun_or_ended_then_the_primary_serves(replica):
    wallet_id = new_wallet(500)
    replica.catch_up()

    begun = reserve(wallet_id)
    after_begin = read_by(wallet_id)
    replica.catch_up()
    caught_up = read_by(wallet_id)
    give_up(begun)
    after_end = read_by(wallet_id)

    assert (after_begin, caught_up, after_end) == (PRIMARY, replicas.REPLICA, PRIMARY)


def test_when_an_owner_writes_then_every_page_shows_it_however_far_the_replica_lags(replica):
    owner = CustomerFactory.create()
    wallet_id = new_wallet(500, owner=owner)
    replica.catch_up()
    api = ApiClient(owner)

    paid = api.post(f"/wallet/{wallet_id}/pay", {"amount": 120, "currency": "USD"}).json()

    lists = [
        api.get(f"/wallet/{wallet_id}/transactions").json()["results"],
        api.get("/transactions").json()["results"],
        api.get(f"/transactions?wallet_id={wallet_id}").json()["results"],
    ]
    assert [page[0]["id"] for page in lists] == [paid["id"]] * 3
    explained = api.get(f"/wallet/{wallet_id}/balance/explain").json()
    assert (explained["closing"], explained["proof"]["lines"]) == (380, 2)


def test_when_the_replica_serves_then_it_shows_what_the_primary_would(replica):
    owner = CustomerFactory.create()
    wallet_id = new_wallet(500, owner=owner)
    reserve(wallet_id)
    replica.catch_up()

    def history(using):
        return wallet_history(wallet_id, HistoryFilter(), key=None, is_backwards=False, count=20, using=using)

    assert read_by(wallet_id) == replicas.REPLICA
    assert history(replicas.REPLICA) == history(PRIMARY)
    assert [line.status for line in history(replicas.REPLICA)] == ["pending", "completed"]


def test_when_the_replica_is_a_read_of_its_own_then_the_page_comes_from_it(replica):
    owner = CustomerFactory.create()
    wallet_id = new_wallet(500, owner=owner)
    replica.catch_up()
    # What only the stand-in says tells where a page came from.
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"UPDATE {replica.schema}.transactions_transfer SET description = 'from the replica'")

    api = ApiClient(owner)
    pages = [api.get(f"/wallet/{wallet_id}/transactions").json(), api.get("/transactions").json()]
    statement = b"".join(api.get(f"/wallet/{wallet_id}/statement?from=2000-01-01&to=2999-01-01"))

    assert [page["results"][0]["description"] for page in pages] == ["from the replica"] * 2
    assert b'"description":"from the replica"' in statement


def test_when_the_replica_fails_in_the_middle_then_the_primary_serves_and_it_is_left_alone(
    replica, monkeypatch
):
    wallet_id = new_wallet(500)
    replica.catch_up()
    asked = []

    def fetch(using: str) -> str:
        asked.append(using)
        if using == replicas.REPLICA:
            raise OperationalError("canceling statement due to conflict with recovery")
        return using

    first, second = (replicas.read_accounts([wallet_id], fetch) for _ in range(2))
    monkeypatch.setattr(replicas, "_avoid_until_s", 0.0)
    again = read_by(wallet_id)

    assert (first, second, again) == (PRIMARY, PRIMARY, replicas.REPLICA)
    assert asked == [replicas.REPLICA, PRIMARY, PRIMARY]


def test_when_the_replica_can_not_be_reached_then_the_primary_serves(committed, monkeypatch):
    wallet_id = new_wallet(500)
    parameters = {**deepcopy(settings.DATABASES[PRIMARY]), "PORT": "1"}
    monkeypatch.setattr(replicas, "_avoid_until_s", 0.0)
    monkeypatch.setitem(settings.DATABASES, replicas.REPLICA, parameters)
    monkeypatch.setitem(connections.settings, replicas.REPLICA, parameters)

    served = read_by(wallet_id), replicas.read_report(lambda using: using)

    del connections[replicas.REPLICA]
    assert served == (PRIMARY, PRIMARY)


def test_when_it_is_no_standby_then_reports_stay_on_the_primary(replica):
    # The stand-in replays nothing, so that nobody can say how old it is.
    assert replicas.read_report(lambda using: using) == PRIMARY


@pytest.mark.parametrize(("is_fresh", "alias"), [(True, replicas.REPLICA), (False, PRIMARY)])
def test_when_staff_list_everything_then_a_fresh_replica_serves(replica, monkeypatch, is_fresh, alias):
    def answered(statement, parameters, *, using=PRIMARY):
        if "pg_last_wal_replay_lsn" in statement:
            assert using == replicas.REPLICA
            return [(is_fresh,)]
        return run(statement, parameters, using=using)

    monkeypatch.setattr(replicas, "run", answered)

    assert replicas.read_report(lambda using: using) == alias
    assert ApiClient(someone("auditor")).get("/transactions?limit=1").status_code == 200


def test_when_something_writes_to_the_replica_then_the_database_refuses(replica):
    with pytest.raises(Exception, match="read-only transaction"):
        run("INSERT INTO transactions_delta (account_id, amount) VALUES (%s, 1)", (uuid7(),), using="replica")

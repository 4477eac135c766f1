"""What depends on a session, through pgBouncer in transaction mode: `make drill-pgbouncer`.

The pooler of the drill takes another server for each transaction, so that whatever a session kept would be missed.
"""

import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from django.core import checks
from django.db import connection, connections, transaction
from uuid_utils.compat import uuid7

from tests.factories.calls import ACTOR, keyed
from tests.factories.money import balance_of, new_wallet
from tests.factories.schema import fetched
from tests.journeys.test_quick_start import require_quick_start
from transactions import seals
from transactions.money import Money
from transactions.prepared import is_mixed_up, run
from wallets.transfers import transfer

MANY = 40
SERVERS = 4
CLIENTS = 32
TRANSFERS_EACH = 5
# By role, since a pooler drops what a session asks for at its start.
SETTINGS_OF_THE_ROLE = {
    "statement_timeout": "30s",
    "lock_timeout": "4s",
    "idle_in_transaction_session_timeout": "15s",
    "client_connection_check_interval": "2s",
    "plan_cache_mode": "force_generic_plan",
    "timezone": "UTC",
}


@pytest.fixture(autouse=True)
def pooled(committed: None) -> None:
    """Have some servers, and refuse to prove anything where one of them serves everybody."""
    with ExitStack() as clients:
        for _ in range(SERVERS):
            clients.enter_context(clients.enter_context(second_client()).transaction()).connection.execute(
                "SELECT"
            )
    assert len({fetched("SELECT pg_backend_pid()")[0] for _ in range(MANY)}) > 1, (
        "there is no pooler in between"
    )


def second_client() -> psycopg.Connection:
    parameters = connection.get_connection_params()
    kept = {name: value for name, value in parameters.items() if name not in ("context", "cursor_factory")}
    return psycopg.connect(**kept, autocommit=True)


@pytest.mark.parametrize(("name", "value"), SETTINGS_OF_THE_ROLE.items())
def test_when_a_session_asks_for_settings_then_every_server_has_them_by_role(name: str, value: str) -> None:
    assert {fetched(f"SHOW {name}")[0][0] for _ in range(MANY)} == {value}


def test_when_statements_are_prepared_then_each_means_itself_on_every_server() -> None:
    mine = [f"SELECT {number}, pg_backend_pid(), %s::bigint" for number in range(MANY)]

    found = [run(statement, (7,))[0] for _ in range(3) for statement in mine]

    assert [(row[0], row[2]) for row in found] == [(number, 7) for _ in range(3) for number in range(MANY)]
    assert len({row[1] for row in found}) > 1


def test_when_the_pooler_keeps_account_of_what_is_prepared_then_the_check_says_nothing() -> None:
    assert [is_mixed_up() for _ in range(MANY)] == [False] * MANY
    assert checks.run_checks(tags=["database"], databases=["default"]) == []


def test_when_two_clients_prepare_in_another_order_then_neither_runs_the_other_s_statement() -> None:
    texts = [f"SELECT {number} + %s::bigint" for number in range(MANY)]
    theirs: list[int] = []

    def backwards() -> None:
        theirs.extend(run(text, (1_000,))[0][0] for text in [*reversed(texts)] * 3)
        connections.close_all()

    client = threading.Thread(target=backwards)
    client.start()
    ours = [run(text, (2_000,))[0][0] for text in texts * 3]
    client.join()

    assert ours == [2_000 + number for number in range(MANY)] * 3
    assert theirs == [1_000 + number for number in reversed(range(MANY))] * 3


def test_when_a_setting_is_made_for_one_transaction_then_no_server_keeps_it() -> None:
    for _ in range(MANY):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1ms'")

    assert {fetched("SHOW lock_timeout")[0][0] for _ in range(MANY)} == {"4s"}


def test_when_a_lock_isn_t_given_then_the_wait_ends_after_the_role_s_timeout() -> None:
    with second_client() as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(1234)")
        started_s = time.monotonic()

        with pytest.raises(Exception, match="lock timeout"):
            fetched("SELECT pg_advisory_xact_lock(1234)")

    assert 3.5 < time.monotonic() - started_s < 15


def test_when_one_seals_then_nobody_else_does_until_it_has_ended() -> None:
    with second_client() as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(%s)", [seals._ADVISORY_LOCK])
        with transaction.atomic():
            meanwhile = seals._may_seal()
    with transaction.atomic():
        afterwards = seals._may_seal()

    assert (meanwhile, afterwards) == (False, True)
    assert fetched("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_when_a_server_dies_between_transactions_then_the_next_one_has_another() -> None:
    with connections["direct"].cursor() as direct:
        direct.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
        ended = direct.fetchone()[0]
    time.sleep(0.5)

    found = {run("SELECT %s::bigint", (number,))[0][0] for number in range(MANY)}

    assert ended >= 1
    assert found == set(range(MANY))


def test_when_more_clients_than_servers_transfer_then_not_a_cent_is_lost() -> None:
    wallets = [new_wallet(10_000) for _ in range(4)]
    failures: list[Exception] = []

    def pay_around(client: int) -> None:
        try:
            for turn in range(TRANSFERS_EACH):
                source, target = wallets[client % 4], wallets[(client + 1 + turn % 3) % 4]
                transfer(
                    source_id=source,
                    target_id=target,
                    amount=Money(1, "USD"),
                    owner_id=None,
                    actor=ACTOR,
                    call=keyed(str(uuid7())),
                )
        except Exception as failure:  # noqa: BLE001 - whatever it is, the test fails by it
            failures.append(failure)
        finally:
            connections.close_all()

    clients = [threading.Thread(target=pay_around, args=(number,)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    assert failures == []
    assert sum(balance_of(wallet) for wallet in wallets) == 40_000
    assert fetched(
        "SELECT count(*) FROM transactions_transaction WHERE account_id = ANY(%s) AND type = 'transfer_out'",
        wallets,
    ) == [(CLIENTS * TRANSFERS_EACH,)]


def test_when_everything_runs_behind_the_pooler_then_the_quick_start_works(tmp_path: Path) -> None:
    require_quick_start(
        tmp_path,
        DATABASE_URL=os.environ["DATABASE_URL"],
        DATABASE_DIRECT_URL=os.environ["DATABASE_DIRECT_URL"],
        DATABASE_OWNER_URL=os.environ["DATABASE_OWNER_URL"],
    )
    # Whoever listened did so past the pooler.
    assert {tuple(fetched("SELECT count(*) FROM pg_listening_channels()")) for _ in range(MANY)} == {((0,),)}

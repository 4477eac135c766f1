"""The embedded PostgreSQL and Valkey, really started."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from deploy.local.data_directory import DataDirectory
from deploy.local.postgres import Cluster, answers_as_postgres, find_programs
from deploy.local.refusals import CannotStart

ROOT = Path(__file__).parents[2]
LONGEST_WAIT_S = 60.0

Serve = Callable[[Path], tuple["subprocess.Popen[str]", dict[str, str]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start the services on a folder; give their supervisor and the variables that lead to them."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path) -> tuple["subprocess.Popen[str]", dict[str, str]]:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.launcher.serve", str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(supervisor)
        assert supervisor.stdout is not None
        services: dict[str, str] = json.loads(supervisor.stdout.readline())
        return supervisor, services

    yield start

    for supervisor in started:
        supervisor.terminate()
        supervisor.communicate(timeout=LONGEST_WAIT_S)


def pretend_programs(folder: Path, *, major: int) -> Path:
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres", "psql"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {major}.1'\n")
        (folder / name).chmod(0o755)
    return folder


def test_when_services_start_then_roles_may_what_they_should_and_data_survives(
    serve: Serve, tmp_path: Path
) -> None:
    supervisor, services = serve(tmp_path)

    with psycopg.connect(services["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("CREATE TABLE kept (value text)")
        owner.execute("INSERT INTO kept VALUES ('Zürich')")
        owner.execute("GRANT SELECT ON kept TO open_wallet_app")
        roles = owner.execute(
            "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles "
            "WHERE rolname LIKE 'open_wallet%' ORDER BY 1"
        ).fetchall()
        durable = [owner.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
    with psycopg.connect(services["DATABASE_URL"], autocommit=True) as application:
        timeouts = {
            name: application.execute(f"SHOW {name}").fetchone()
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "client_connection_check_interval",
            )
        }
        for forbidden in (
            "CREATE TABLE mine ()",
            "CREATE DATABASE mine",
            "CREATE ROLE mine",
            "DROP TABLE kept",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(forbidden)
    redis.Redis.from_url(services["REDIS_URL"]).set("kept", "too")
    supervisor.send_signal(signal.SIGINT)
    supervisor.communicate(timeout=LONGEST_WAIT_S)

    _, services_again = serve(tmp_path)

    assert roles == [
        ("open_wallet_app", False, False, False, False),
        ("open_wallet_owner", False, True, False, False),
    ]
    assert durable == [("on",), ("on",)]
    assert timeouts == {
        "statement_timeout": ("30s",),
        "lock_timeout": ("4s",),
        "idle_in_transaction_session_timeout": ("15s",),
        "client_connection_check_interval": ("2s",),
    }
    with psycopg.connect(services_again["DATABASE_URL"]) as application:
        assert application.execute("SELECT upper(value) FROM kept").fetchall() == [("ZÜRICH",)]
    assert redis.Redis.from_url(services_again["REDIS_URL"]).get("kept") == b"too"
    assert "database system was not properly shut down" not in (tmp_path / "log" / "postgres.log").read_text()


def test_when_postgres_is_killed_then_it_is_started_again_on_the_same_address(
    serve: Serve, tmp_path: Path
) -> None:
    supervisor, services = serve(tmp_path)
    postmaster = int((tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    os.kill(postmaster, signal.SIGKILL)

    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == "postgres ended (signal SIGKILL) and is started again.\n"
    latest = time.monotonic() + LONGEST_WAIT_S
    while not answers_as_postgres(urlsplit(services["DATABASE_URL"]).port or 0):
        assert time.monotonic() < latest
        time.sleep(0.05)


def test_when_a_connection_has_no_password_then_it_is_refused(serve: Serve, tmp_path: Path) -> None:
    _, services = serve(tmp_path)
    without_password = {
        name: url.replace(url.split("@")[0].rpartition(":")[2], "guess") for name, url in services.items()
    }

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(without_password["DATABASE_URL"])
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(without_password["REDIS_URL"]).ping()


def test_when_a_folder_is_named_then_its_postgres_is_taken(tmp_path: Path) -> None:
    named = pretend_programs(tmp_path / "named", major=15)
    wheel = pretend_programs(tmp_path / "wheel", major=18)

    assert find_programs(wheel=wheel, environment={"OPEN_WALLET_PG_BIN": str(named), "PATH": ""}) == named


def test_when_the_named_folder_is_empty_then_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotStart) as refusal:
        find_programs(wheel=None, environment={"OPEN_WALLET_PG_BIN": str(tmp_path), "PATH": ""})

    assert str(refusal.value) == (
        f"OPEN_WALLET_PG_BIN={tmp_path} doesn't hold initdb, postgres, psql: name the folder with PostgreSQL's programs."
    )


def test_when_no_wheel_fits_then_postgres_is_looked_for_on_the_path_and_in_debians_folders(
    tmp_path: Path,
) -> None:
    on_path = pretend_programs(tmp_path / "bin", major=16)
    too_old = pretend_programs(tmp_path / "old", major=14)
    debian = tmp_path / "debian"
    pretend_programs(debian / "9" / "bin", major=9)
    pretend_programs(debian / "15" / "bin", major=15)
    newest = pretend_programs(debian / "17" / "bin", major=17)

    by_path = find_programs(wheel=None, environment={"PATH": str(on_path)}, debian=debian)
    by_folder = find_programs(wheel=None, environment={"PATH": str(too_old)}, debian=debian)

    assert (by_path, by_folder) == (on_path, newest)


def test_when_there_is_no_postgres_then_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotStart) as refusal:
        find_programs(wheel=None, environment={"PATH": str(tmp_path)}, debian=tmp_path)

    assert str(refusal.value) == (
        "No PostgreSQL 15 or newer was found: install one (on Debian and Ubuntu: `apt-get install postgresql`) "
        "and name its folder of programs with OPEN_WALLET_PG_BIN, or give DATABASE_URL."
    )


def test_when_another_major_version_made_the_data_then_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    programs = pretend_programs(tmp_path / "bin", major=17)
    data = DataDirectory(tmp_path / "data")
    data.postgres.mkdir(parents=True)
    (data.postgres / "PG_VERSION").write_text("16\n")

    with pytest.raises(CannotStart) as refusal:
        Cluster(programs=programs, data=data, durable=True).make()

    assert str(refusal.value) == (
        f"{data.postgres} was made by PostgreSQL 16, but {programs} holds 17: "
        "name the programs of 16 with OPEN_WALLET_PG_BIN, or start afresh with `make clean-data`."
    )

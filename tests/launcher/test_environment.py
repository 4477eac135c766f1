"""What the application is started with, and what stops the start before anything is installed."""

import base64
import dataclasses
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from config.environment import Environment
from deploy.local.data_directory import DataDirectory
from deploy.local.environment import application_environment, environment_of_tests, socket_address

ROOT = Path(__file__).parents[2]
SERVICES = {
    "DATABASE_URL": "postgres://app@127.0.0.1:1/open_wallet",
    "DATABASE_OWNER_URL": "postgres://owner@127.0.0.1:1/open_wallet",
    "REDIS_URL": "redis://127.0.0.1:2/0",
}
PRODUCTION = {
    "OPEN_WALLET_MODE": "production",
    "SECRET_KEY": "given-secret",
    "JWT_SIGNING_KEYS": "a:given",
    "ENCRYPTION_KEYS": "b:given",
}


def run_refused(tmp_path: Path, variables: Mapping[str, str]) -> str:
    """Return what `run` says when it can't start."""
    launched = subprocess.run(
        [sys.executable, "-m", "deploy.local", "run"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "OPEN_WALLET_DATA": str(tmp_path / "data"), **variables},
        capture_output=True,
        text=True,
    )
    assert launched.returncode == 1
    assert launched.stderr == ""
    return launched.stdout


def test_when_nothing_is_given_then_the_sandbox_runs_on_its_own_secrets(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)

    environment = application_environment(given={"PATH": "/bin"}, services=SERVICES, data=data)

    secrets = data.secrets()
    assert environment == {
        "PATH": "/bin",
        **SERVICES,
        "OPEN_WALLET_MODE": "sandbox",
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "HOST": "127.0.0.1",
        "PORT": "8000",
        "PUBLIC_URL": "http://127.0.0.1:8000",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
        "STREAM_SOCKET": socket_address(tmp_path / "stream.socket"),
        "PYTHONUNBUFFERED": "1",
        "SECRET_KEY": secrets["SECRET_KEY"],
        "JWT_SIGNING_KEYS": secrets["JWT_SIGNING_KEYS"],
        "ENCRYPTION_KEYS": secrets["ENCRYPTION_KEYS"],
        "DEMO_PASSWORD": secrets["DEMO_PASSWORD"],
    }


@pytest.mark.parametrize("name", ["JWT_SIGNING_KEYS", "ENCRYPTION_KEYS"])
def test_when_keys_are_made_then_they_have_32_bytes(tmp_path: Path, name: str) -> None:
    secrets = DataDirectory(tmp_path).secrets()

    key_id, _, encoded = secrets[name].partition(":")

    assert len(base64.b64decode(encoded, validate=True)) == 32
    assert len(key_id) == 12


def test_when_values_are_given_then_they_win(tmp_path: Path) -> None:
    given = {
        "PORT": "9000",
        "DEMO_PASSWORD": "mine",
        "SECRET_KEY": "also-mine",
        "DATABASE_URL": "postgres://theirs",
    }
    services = {**SERVICES, "DATABASE_URL": "postgres://theirs", "DATABASE_OWNER_URL": "postgres://theirs"}

    environment = application_environment(given=given, services=services, data=DataDirectory(tmp_path))

    assert {name: environment[name] for name in given} == given
    assert environment["DATABASE_OWNER_URL"] == "postgres://theirs"


def test_when_in_production_then_no_secret_is_made_up(tmp_path: Path) -> None:
    environment = application_environment(given=PRODUCTION, services=SERVICES, data=DataDirectory(tmp_path))

    assert {name: environment[name] for name in PRODUCTION} == PRODUCTION
    assert environment["DJANGO_SETTINGS_MODULE"] == "config.settings.production"
    assert "DEMO_PASSWORD" not in environment
    assert not (tmp_path / "secrets.json").exists()


def test_when_tests_run_then_a_developers_configuration_does_not_reach_them() -> None:
    given = {
        "PATH": "/bin",
        "RATE_LIMIT_USER": "off",
        "STRIPE_API_KEY": "sk_live_mine",
        "DATABASE_URL": "postgres://mine",
        "OPEN_WALLET_MODE": "production",
        "SECRET_KEY": "mine",
    }

    environment = environment_of_tests(given=given, services=SERVICES)

    assert {name: environment.get(name) for name in given if name != "SECRET_KEY"} == {
        "PATH": "/bin",
        "RATE_LIMIT_USER": None,
        "STRIPE_API_KEY": None,
        "DATABASE_URL": SERVICES["DATABASE_URL"],
        "OPEN_WALLET_MODE": "sandbox",
    }
    assert environment["SECRET_KEY"] != "mine"


@pytest.mark.parametrize("name", [declared.name.upper() for declared in dataclasses.fields(Environment)])
def test_when_tests_run_then_no_variable_of_the_application_comes_from_outside(name: str) -> None:
    environment = environment_of_tests(given={name: "from outside"}, services=SERVICES)

    assert environment.get(name) != "from outside"


def test_when_production_lacks_secrets_then_run_names_them(tmp_path: Path) -> None:
    said = run_refused(tmp_path, {"OPEN_WALLET_MODE": "production", "SECRET_KEY": "given-secret"})

    assert said == "Production makes up no secrets: set JWT_SIGNING_KEYS, ENCRYPTION_KEYS.\n"
    assert not (tmp_path / "data").exists()


def test_when_the_mode_is_unknown_then_run_says_which_there_are(tmp_path: Path) -> None:
    said = run_refused(tmp_path, {"OPEN_WALLET_MODE": "staging"})

    assert said == "OPEN_WALLET_MODE=staging is unknown: give sandbox or production.\n"


def test_when_the_port_is_used_then_run_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        said = run_refused(tmp_path, {"PORT": str(port)})

    assert said == (
        f"Port {port} on 127.0.0.1 can't be used (address already in use): stop what listens there, "
        f"or choose another one, as in `make run PORT={port + 1}`.\n"
    )


@pytest.mark.parametrize("port", ["http", "-1", "0", "70000", "8000.5"])
def test_when_the_port_is_no_port_then_run_says_so(tmp_path: Path, port: str) -> None:
    said = run_refused(tmp_path, {"PORT": port})

    assert said == f"PORT={port} is no port: give a number from 1 to 65535.\n"


def test_when_a_socket_s_address_would_be_too_long_then_there_is_none(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    assert socket_address(tmp_path / "stream.socket") == "stream.socket"
    assert socket_address(tmp_path / ("x" * 90) / "stream.socket") == ""
    assert socket_address(Path("/run/s")) == "/run/s"

"""Production settings pass Django's own deployment checks, none of them silenced."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from django.conf import settings
from psycopg import ConnectionInfo

from config.checks import check_poolers
from transactions.prepared import run

ROOT = Path(__file__).resolve().parents[2]


def production(environment: dict[str, str], **changes: str) -> dict[str, str]:
    return {
        **environment,
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "OPEN_WALLET_MODE": "production",
        "PUBLIC_URL": "https://wallet.example.com",
        "ALLOWED_HOSTS": "wallet.example.com",
        "SECRET_KEY": "kf8Wq2-Zr7Lx0_Vb5Tn1Yh9Ej3Ua6Sd4Gc8Mp2Ro7Ki0Xw5Qz1",
        **changes,
    }


def check(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_when_production_is_checked_then_nothing_is_found_and_nothing_silenced(
    database_environment: dict[str, str],
) -> None:
    done = check(production(database_environment))

    assert (done.returncode, done.stdout.strip()) == (0, "System check identified no issues (0 silenced)."), (
        done.stderr
    )


def test_when_production_is_reached_without_tls_then_the_check_says_so(
    database_environment: dict[str, str],
) -> None:
    done = check(production(database_environment, PUBLIC_URL="http://wallet.example.com"))

    assert done.returncode == 1
    assert set(re.findall(r"security\.W[0-9]+", done.stderr)) == {"security.W008"}


def test_when_the_version_is_told_then_it_is_the_packages() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert declared == settings.VERSION


def test_when_nobody_stands_before_the_database_then_the_check_of_poolers_says_nothing(committed) -> None:
    run("SELECT 1", ())

    assert check_poolers(None, databases=["default"]) == []


def test_when_a_pooler_hands_out_what_others_prepared_then_the_check_says_so(committed, monkeypatch) -> None:
    run("SELECT 1", ())
    # Behind a pooler the process that answers isn't the one that was told at the start.
    monkeypatch.setattr(ConnectionInfo, "backend_pid", 1)

    [warning] = check_poolers(None, databases=["default", "owner"])

    assert (warning.id, "max_prepared_statements" in warning.hint) == ("config.W007", True)

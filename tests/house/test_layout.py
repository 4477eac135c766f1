"""The house keeps its shape: what stands at the top, and what no file may be called or say."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TOP_LEVEL = {
    ".ci",
    ".dockerignore",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "compose.yaml",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "backoffice",
    "config",
    "deploy",
    "docs",
    "events",
    "manage.py",
    "payments",
    "pyproject.toml",
    "requirements",
    "templates",
    "tests",
    "tokens",
    "transactions",
    "users",
    "wallets",
}
APPS = ("users", "events", "transactions", "wallets", "tokens", "payments", "backoffice", "config")


def tracked_files() -> list[Path]:
    """List the files that git knows, or would know."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_top_level_holds_what_the_design_names_and_nothing_else() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in tracked_files()}

    assert top - TOP_LEVEL == set()


@pytest.mark.parametrize("word", ["utils", "util", "helpers", "helper", "common", "core", "misc"])
def test_no_module_has_a_name_that_says_nothing(word: str) -> None:
    named = [path for path in tracked_files() if path.stem == word or word in path.relative_to(ROOT).parts]

    assert named == []


def test_no_module_of_the_apps_is_longer_than_a_newcomer_reads() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in tracked_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in APPS and "migrations" not in path.parts
    }

    assert {name: length for name, length in lengths.items() if length > 430} == {}


def test_the_ledger_stays_under_three_hundred_lines() -> None:
    assert len((ROOT / "transactions" / "ledger.py").read_text().splitlines()) < 300


@pytest.mark.parametrize("app", APPS)
def test_each_app_says_what_it_owns_and_why_it_is_so(app: str) -> None:
    text = (ROOT / app / "README.md").read_text()

    assert "## Decisions" in text


def test_only_the_environment_module_reads_environment_variables() -> None:
    reads = re.compile(r"os\.environ(?!\.setdefault\(\"DJANGO_SETTINGS_MODULE\")|os\.getenv")
    readers = {
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in APPS and reads.search(path.read_text())
    }

    assert readers == {"config/environment.py", "config/settings/test.py"}

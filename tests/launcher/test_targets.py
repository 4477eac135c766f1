"""The Makefile and what a continuous integration server calls."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make") or "make"


def make(*arguments: str) -> str:
    command = [MAKE, *arguments]
    outside_of_make = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        command, cwd=ROOT, env=outside_of_make, capture_output=True, text=True, check=True
    ).stdout


def test_when_help_is_asked_for_then_every_target_is_listed() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    listed = re.findall(r"^make (\S+) +\S", make("help"), re.MULTILINE)

    assert phony is not None
    assert sorted(listed) == sorted(phony[1].split())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run"], "exec python3 -m deploy.local run"),
        (["test"], "exec python3 -m deploy.local test"),
        (
            ["test", "ARGS=tests/users -k 'a or b'"],
            "exec python3 -m deploy.local test tests/users -k 'a or b'",
        ),
        (["run", "PYTHON=python3.12"], "exec python3.12 -m deploy.local run"),
        (["manage", "CMD=check_books"], "exec python3 -m deploy.local manage check_books"),
    ],
)
def test_when_a_target_is_made_then_it_calls_the_launcher(arguments: list[str], line: str) -> None:
    assert make("--dry-run", *arguments).strip() == line


@pytest.mark.parametrize(
    ("failing", "made"),
    [
        ("", ["test", "check-browser", "check-deploy"]),
        ("test", ["test"]),
        ("check-browser", ["test", "check-browser"]),
        ("check-deploy", ["test", "check-browser", "check-deploy"]),
    ],
)
def test_when_ci_runs_then_it_makes_test_and_both_checks_and_passes_their_exit_codes_on(
    tmp_path: Path, failing: str, made: list[str]
) -> None:
    pretended_make = tmp_path / "make"
    pretended_make.write_text(f'#!/bin/sh\necho "made $* in $PWD"\n[ "$1" != "{failing}" ] || exit 3\n')
    pretended_chromium = tmp_path / "chromium"
    pretended_chromium.write_text("#!/bin/sh\n")
    pretended_promtool = tmp_path / "promtool"
    pretended_promtool.write_text("#!/bin/sh\n")
    for program in (pretended_make, pretended_chromium, pretended_promtool):
        program.chmod(0o755)

    ran = subprocess.run(
        [ROOT / ".ci" / "run"],
        cwd=tmp_path,
        env={**os.environ, "CI": "true", "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )

    assert ran.returncode == (3 if failing else 0)
    lines = [line for line in ran.stdout.splitlines() if line.startswith("made ")]
    assert lines == [f"made {target} in {ROOT}" for target in made]

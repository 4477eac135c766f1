"""Making `.venv`, with interpreters that only pretend: they note what they are asked to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.bootstrap import VirtualEnvironment, choose_python
from deploy.local.refusals import CannotStart

ROOT = Path(__file__).parents[2]

# Answers as the version and modules say; `-m venv` copies it into the venv; pip and uv append to `calls`.
PRETENDED_PYTHON = """#!/bin/sh
case "$1 $2" in
"-c "*) echo "{version} {has_venv}" ;;
"-m venv")
    for directory; do :; done
    mkdir -p "$directory/bin" && cp "$0" "$directory/bin/python" && touch "$directory/bin/pip"
    echo "venv" >> "{folder}/calls" ;;
"-m uv") for file; do :; done; echo "uv $(basename "$file")" >> "{folder}/calls"; {uv} ;;
"-m pip") for file; do :; done; echo "pip $(basename "$file")" >> "{folder}/calls"; {pip} ;;
esac
"""


def pretend_python(
    folder: Path,
    *,
    name: str = "python",
    version: str = "3 11",
    has_venv: bool = True,
    uv: str = "true",
    pip: str = "true",
) -> str:
    path = folder / name
    path.write_text(
        PRETENDED_PYTHON.format(folder=folder, version=version, has_venv=has_venv, uv=uv, pip=pip)
    )
    path.chmod(0o755)
    return str(path)


def venv_with_locks(folder: Path) -> VirtualEnvironment:
    (folder / "requirements").mkdir()
    for name in ("uv", "base", "development"):
        (folder / "requirements" / f"{name}.txt").write_text(f"{name}==1\n")
    (folder / "requirements" / "base.in").write_text("base\n")
    return VirtualEnvironment(root=folder, directory=folder / ".venv")


def calls(folder: Path) -> list[str]:
    file = folder / "calls"
    return file.read_text().splitlines() if file.exists() else []


def test_when_several_pythons_would_do_then_the_first_is_taken(tmp_path: Path) -> None:
    old = pretend_python(tmp_path, name="old", version="3 10")
    good = pretend_python(tmp_path, name="good", version="3 11")
    newer = pretend_python(tmp_path, name="newer", version="3 14")

    chosen = choose_python(wanted=None, candidates=("/nowhere/python3", old, good, newer))

    assert chosen == good


def test_when_an_interpreter_is_named_then_it_is_taken(tmp_path: Path) -> None:
    good = pretend_python(tmp_path, name="good")
    named = pretend_python(tmp_path, name="named", version="3 12")

    chosen = choose_python(wanted=named, candidates=(good,))

    assert chosen == named


def test_when_every_python_is_too_old_then_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    old = pretend_python(tmp_path, version="3 9")

    with pytest.raises(CannotStart) as refusal:
        choose_python(wanted=None, candidates=(old,))

    assert str(refusal.value) == (
        f"Python 3.9 ({old}) is too old: install Python 3.11 or newer, then name it, as in `make run PYTHON=python3.12`."
    )


def test_when_venv_is_missing_then_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    bare = pretend_python(tmp_path, has_venv=False)

    with pytest.raises(CannotStart) as refusal:
        choose_python(wanted=None, candidates=(bare,))

    assert str(refusal.value) == (
        f"{bare} has no venv module: install it (on Debian and Ubuntu: `apt-get install python3-venv`), then run this again."
    )


def test_when_the_named_interpreter_is_none_then_one_sentence_says_so() -> None:
    with pytest.raises(CannotStart) as refusal:
        choose_python(wanted="/nowhere/python3", candidates=(sys.executable,))

    assert str(refusal.value) == (
        "PYTHON=/nowhere/python3 doesn't run: name an interpreter, as in `make run PYTHON=python3.12`."
    )


def test_when_the_launchers_own_python_is_too_old_then_one_sentence_says_so() -> None:
    pretend_old = (
        "import runpy, sys; sys.version_info = (3, 8, 10, 'final', 0); "
        "runpy.run_module('deploy.local', run_name='__main__')"
    )

    launched = subprocess.run(
        [sys.executable, "-c", pretend_old],
        cwd=ROOT,
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
    )

    assert launched.returncode == 1
    assert launched.stdout == ""
    assert launched.stderr == (
        "Python 3.8 is too old: install Python 3.11 or newer, then name it, as in `make run PYTHON=python3.12`.\n"
    )


def test_when_nothing_is_there_then_all_is_installed_once(tmp_path: Path) -> None:
    python = pretend_python(tmp_path)
    venv = venv_with_locks(tmp_path)

    venv.install(["base", "development"], wanted_python=python)
    venv.install(["base", "development"], wanted_python=python)
    venv.install(["base"], wanted_python=python)

    assert calls(tmp_path) == ["venv", "pip uv.txt", "uv base.txt", "uv development.txt"]


def test_when_a_lock_file_changes_then_it_alone_is_installed_again(tmp_path: Path) -> None:
    python = pretend_python(tmp_path)
    venv = venv_with_locks(tmp_path)
    venv.install(["base", "development"], wanted_python=python)
    (tmp_path / "calls").unlink()

    (tmp_path / "requirements" / "base.txt").write_text("base==2\n")
    venv.install(["base", "development"], wanted_python=python)

    assert calls(tmp_path) == ["pip uv.txt", "uv base.txt"]


def test_when_uv_fails_then_pip_installs(tmp_path: Path) -> None:
    python = pretend_python(tmp_path, uv="false")
    venv = venv_with_locks(tmp_path)

    venv.install(["base"], wanted_python=python)

    assert calls(tmp_path) == ["venv", "pip uv.txt", "uv base.txt", "pip base.txt"]


def test_when_nothing_can_install_then_the_complaint_is_quoted_and_it_is_tried_again(tmp_path: Path) -> None:
    python = pretend_python(tmp_path, pip="echo 'ERROR: no network' >&2; exit 1")
    venv = venv_with_locks(tmp_path)

    for _ in range(2):
        with pytest.raises(CannotStart) as refusal:
            venv.install(["base"], wanted_python=python)

    assert str(refusal.value) == (
        "Installing requirements/base.txt failed: ERROR: no network. "
        "Check the connection to the package registry, then run this again."
    )
    assert calls(tmp_path) == ["venv", *["pip uv.txt", "pip base.txt"] * 2]


def test_when_no_embedded_service_fits_the_platform_then_the_rest_is_installed(tmp_path: Path) -> None:
    fails_for_embedded = 'case "$file" in *embedded.txt) exit 1;; esac'
    python = pretend_python(tmp_path, uv=fails_for_embedded, pip=fails_for_embedded)
    venv = venv_with_locks(tmp_path)
    (tmp_path / "requirements" / "embedded.txt").write_text("server==1\n")

    venv.install(
        ["base", "embedded", "development"], wanted_python=python, dispensable=frozenset(["embedded"])
    )

    assert calls(tmp_path) == [
        *["venv", "pip uv.txt", "uv base.txt"],
        *["uv embedded.txt", "pip embedded.txt", "uv development.txt"],
    ]
    assert json.loads(venv.stamp.read_text()).keys() == {"base", "development"}


def test_when_the_interpreter_of_the_venv_is_gone_then_the_venv_is_made_again(tmp_path: Path) -> None:
    python = pretend_python(tmp_path)
    venv = venv_with_locks(tmp_path)
    venv.install(["base"], wanted_python=python)
    (tmp_path / "calls").unlink()

    venv.python.unlink()
    venv.install(["base"], wanted_python=python)

    assert calls(tmp_path)[0] == "venv"

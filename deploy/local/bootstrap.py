"""Makes `.venv` and installs the hash-pinned requirements into it, again only when a lock file has changed."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from deploy.local.console import say
from deploy.local.refusals import CannotStart, last_line

OLDEST_PYTHON = (3, 11)
DEBIAN_PYTHON = "/usr/bin/python3"
STAMP_NAME = "installed-requirements.json"
DESCRIBE_PYTHON = """
import importlib.util as modules, sys
print(sys.version_info[0], sys.version_info[1], all(modules.find_spec(name) for name in ("venv", "ensurepip")))
"""


def describe_python(path: str) -> tuple[tuple[int, int], bool] | None:
    """Return the version of the interpreter at `path` and whether it can make a venv; None when it doesn't run."""
    try:
        answer = subprocess.run([path, "-c", DESCRIBE_PYTHON], capture_output=True, text=True, timeout=30)
    except OSError:
        return None
    words = answer.stdout.split()
    if answer.returncode != 0 or len(words) != 3:
        return None
    return (int(words[0]), int(words[1])), words[2] == "True"


def choose_python(
    *, wanted: str | None, candidates: tuple[str, ...] = (DEBIAN_PYTHON, sys.executable)
) -> str:
    """Return the interpreter for the venv: `wanted` if given, else the first candidate that will do.

    The distribution's own comes first: it is built with all optimisations, which others often are not.
    Refuses an interpreter that is too old or has no venv module.
    """
    refusal = "No Python was found: install Python 3.11 or newer with its venv module."
    for name in [wanted] if wanted else candidates:
        path = shutil.which(name)
        description = describe_python(path) if path else None
        if path is None or description is None:
            if wanted:
                refusal = (
                    f"PYTHON={wanted} doesn't run: name an interpreter, as in `make run PYTHON=python3.12`."
                )
            continue
        version, has_venv = description
        if version < OLDEST_PYTHON:
            refusal = (
                f"Python {version[0]}.{version[1]} ({path}) is too old: install Python 3.11 or newer, "
                "then name it, as in `make run PYTHON=python3.12`."
            )
        elif not has_venv:
            refusal = (
                f"{path} has no venv module: install it (on Debian and Ubuntu: `apt-get install python3-venv`), "
                "then run this again."
            )
        else:
            return path
    raise CannotStart(refusal)


class VirtualEnvironment:
    """The project's `.venv` and what is installed in it."""

    def __init__(self, *, root: Path, directory: Path) -> None:
        self.requirements = root / "requirements"
        self.directory = directory
        self.python = directory / "bin" / "python"
        self.stamp = directory / STAMP_NAME

    def install(
        self, names: list[str], *, wanted_python: str | None, dispensable: frozenset[str] = frozenset()
    ) -> None:
        """Make the venv if need be and install the lock files `names` that changed since the last time.

        Refuses when one can't be installed, unless it is `dispensable`: there the next start tries again.
        """
        digests = {name: hashlib.sha256(self._lock_file(name).read_bytes()).hexdigest() for name in names}
        with (self.requirements / "base.in").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # `make run` and `make test` may start at the same moment
            self._make(wanted_python=wanted_python)
            installed = self._installed()
            missing = [name for name in names if installed.get(name) != digests[name]]
            if not missing:
                return
            say(f"Installing requirements ({', '.join(missing)}) …")
            started = time.monotonic()
            installers = self._installers()
            for name in missing:
                try:
                    self._install_lock_file(name, installers=installers)
                except CannotStart as refusal:
                    if name not in dispensable:
                        raise
                    say(f"{refusal} Going on without.")
                    continue
                installed[name] = digests[name]
                self.stamp.write_text(json.dumps(installed))
            say(f"Installed in {time.monotonic() - started:.0f} s.")

    def _lock_file(self, name: str) -> Path:
        return self.requirements / f"{name}.txt"

    def _installed(self) -> dict[str, str]:
        if not self.stamp.exists():
            return {}
        installed: dict[str, str] = json.loads(self.stamp.read_text())
        return installed

    def _make(self, *, wanted_python: str | None) -> None:
        # A venv outlives its interpreter: an upgrade of the system leaves one that doesn't start any more.
        if describe_python(str(self.python)) is not None and (self.directory / "bin" / "pip").exists():
            return
        chosen = choose_python(wanted=wanted_python)
        say(f"Making {self.directory.name} with {chosen} …")
        made = subprocess.run(
            [chosen, "-m", "venv", "--clear", str(self.directory)], capture_output=True, text=True
        )
        if made.returncode != 0:
            raise CannotStart(
                f"`{chosen} -m venv` failed: {last_line(made.stderr or made.stdout)} "
                "(on Debian and Ubuntu `apt-get install python3-venv` gives what is missing)."
            )

    def _installers(self) -> list[list[str]]:
        """The ways to install a lock file, the fastest first.

        uv does in seconds what takes pip most of a minute; where uv can't run or can't reach the packages (it
        doesn't read pip's configuration), pip does the same work from the same lock.
        """
        hashed = ["--quiet", "--require-hashes", "--only-binary", ":all:", "-r"]
        pip = [str(self.python), "-m", "pip", "--disable-pip-version-check", "install", *hashed]
        uv = [str(self.python), "-m", "uv", "pip", "install", "--python", str(self.python), *hashed]
        uv_is_there = subprocess.run([*pip, str(self._lock_file("uv"))], capture_output=True).returncode == 0
        return [uv, pip] if uv_is_there else [pip]

    def _install_lock_file(self, name: str, *, installers: list[list[str]]) -> None:
        complaint = ""
        environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
        for command in installers:
            installed = subprocess.run(
                [*command, str(self._lock_file(name))], capture_output=True, text=True, env=environment
            )
            if installed.returncode == 0:
                return
            complaint = last_line(installed.stderr).rstrip(".")
        raise CannotStart(
            f"Installing requirements/{name}.txt failed: {complaint}. "
            "Check the connection to the package registry, then run this again."
        )

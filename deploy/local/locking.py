"""Compiles `requirements/*.in` to lock files with a hash for each package and the name of no host."""

import subprocess
from pathlib import Path

from deploy.local.bootstrap import OLDEST_PYTHON
from deploy.local.console import say
from deploy.local.refusals import CannotStart, last_line

# Each is constrained by those before it.
LOCK_FILES = ("uv", "base", "embedded", "development", "browser", "deploy", "load", "fuzz")
OPTIONS = (
    "--quiet",
    "--universal",
    "--generate-hashes",
    "--no-header",
    "--no-emit-index-url",
    "--no-annotate",
    "--only-binary=:all:",
)


def lock_requirements(*, python: Path, requirements: Path, upgrade: bool) -> None:
    """Write the lock files anew; with `upgrade` with the newest versions that the `.in` files allow."""
    version = ".".join(str(part) for part in OLDEST_PYTHON)
    options = [*OPTIONS, f"--python-version={version}", *(["--upgrade"] if upgrade else [])]
    for name in LOCK_FILES:
        command = [
            str(python),
            "-m",
            "uv",
            "pip",
            "compile",
            *options,
            f"{name}.in",
            f"--output-file={name}.txt",
        ]
        compiled = subprocess.run(command, cwd=requirements, capture_output=True, text=True)
        if compiled.returncode != 0:
            raise CannotStart(f"requirements/{name}.in can't be locked: {last_line(compiled.stderr)}")
        if "://" in (requirements / f"{name}.txt").read_text():
            raise CannotStart(
                f"requirements/{name}.txt names a host: lock without one in uv's configuration."
            )
        say(f"Locked requirements/{name}.txt.")

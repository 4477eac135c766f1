"""Everything that `make check` looks at, at the same time; only what fails is shown."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.local.console import say
from deploy.local.processes import Process, die_with_parent, kill_group

LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"

CHECKS = {
    "mypy": ["-m", "mypy"],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "ruff check": ["-m", "ruff", "check", "."],
    "import-linter": ["-c", LINT_IMPORTS],
    "djlint": ["-m", "djlint", "--lint", "--quiet", "templates"],
}


def run_checks(*, python: Path, environment: Mapping[str, str]) -> list[str]:
    """Run all checks, print what the failing ones say, and return their names."""
    started = time.monotonic()
    running: dict[str, Process] = {}
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, arguments in CHECKS.items():
                with (Path(folder) / name).open("wb") as output:
                    running[name] = subprocess.Popen(
                        [str(python), *arguments],
                        env=dict(environment),
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                        preexec_fn=die_with_parent(signal.SIGKILL),
                    )
            for name, process in running.items():
                if process.wait() != 0:
                    failed.append(name)
                    say(f"── {name} ──\n{(Path(folder) / name).read_text().rstrip()}")
        finally:
            for process in running.values():
                kill_group(process)
    verdict = f"failed: {', '.join(failed)}" if failed else "all passed"
    say(f"Checks ({', '.join(CHECKS)}): {verdict}, in {time.monotonic() - started:.0f} s.")
    return failed

"""Runs of pytest as parts of the campaign: on the part's database, with the seed and the size in the environment."""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.proof.stack import Stack
from tests.workers.installation import ROOT

LONGEST_TOLD = 6000
"""Characters of a traceback that are printed."""


@dataclass(frozen=True)
class Outcome:
    """What pytest says: how many passed, and which failed; what was printed."""

    passed: int
    failed: tuple[str, ...]
    by_file: Mapping[str, int]
    printed: str
    was_cut: bool


def run_pytest(
    stack: Stack,
    arguments: Sequence[str],
    *,
    variables: Mapping[str, str] | None = None,
    root: Path = ROOT,
    longest_s: float = float("inf"),
) -> Outcome:
    """Run these tests on a database of their own in the part's PostgreSQL; a run that takes longer is cut off."""
    environment = {
        **os.environ,
        **stack.environment,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        **(variables or {}),
    }
    for name in [
        name for name in environment if name.startswith(("RATE_LIMIT_", "WEB_", "STRIPE_", "STREAM_"))
    ]:
        del environment[name]
    for name in (
        "PROMETHEUS_MULTIPROC_DIR",
        "PAYMENT_PROCESSOR",
        "PORT",
        "HOST",
        "PUBLIC_URL",
        "LOG_LEVEL",
        "DEMO_PASSWORD",
    ):
        environment.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-q",
            f"--junitxml={report}",
            *arguments,
        ]
        was_cut = False
        try:
            ended = subprocess.run(
                command,
                cwd=root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=None if longest_s == float("inf") else max(1.0, longest_s),
            )
            printed = ended.stdout + ended.stderr
        except subprocess.TimeoutExpired as cut:
            was_cut = True
            printed = (cut.stdout or b"").decode(errors="replace") if isinstance(cut.stdout, bytes) else ""
        if not report.exists():
            return Outcome(
                0, () if was_cut else (f"pytest ended early: {printed[-300:]}",), {}, printed, was_cut
            )
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - pytest's own file
    failed = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    for case in cases:
        for kind in ("failure", "error"):
            if (told := case.find(kind)) is not None:
                print(case.get("name"), (told.text or "")[-LONGEST_TOLD:], sep="\n", flush=True)
    by_file = Counter((case.get("classname") or "").rpartition(".")[2] for case in cases)
    return Outcome(len(cases) - len(set(failed)), tuple(failed), by_file, printed, was_cut)

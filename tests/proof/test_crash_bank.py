"""The short form of the part `crash_bank`: what `tests/workers` doesn't kill dies under the mixed load."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEED = 2
"""Its first three kills are those of the database, the web server and the provider."""
KEPT = ("HOME", "LANG", "PATH", "TMPDIR", "OPEN_WALLET_PG_BIN")


def test_when_database_web_and_provider_are_killed_under_load_then_what_was_acknowledged_is_there_once(
    tmp_path: Path,
) -> None:
    file, size = tmp_path / "report.json", "0.0025"
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}

    command = [sys.executable, "-m", "tests.proof.part", "crash_bank", str(SEED), "inf", size, str(file)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
    report = json.loads(file.read_text())
    assert report["found"] == [], ended.stdout
    assert (report["holds"], report["is_complete"]) == (True, True)
    figures = report["figures"]
    assert (figures["operations answered"] >= 50, figures["kills"]) == (True, 3)
    assert [figures[f"kills of {name}"] for name in ("postgres", "web", "provider")] == [1, 1, 1]
    assert (figures["acknowledged and lost"], figures["doubled"]) == (0, 0)

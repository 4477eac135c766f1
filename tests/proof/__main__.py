"""`python -m tests.proof [part…] [--seed N] [--minutes M]`: run the campaign, print what it found, keep the figures."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.proof import report
from tests.proof.parts import PARTS, WHOLE_MINUTES, PartReport

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str]) -> int:
    """Run the parts one after the other, each in a process and on an installation of its own.

    Those that need one core and no clock run beside the others.
    """
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all when none is named"
    )
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="repeats the dice of an earlier run"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=None,
        help=f"for all parts that run together; their shares of {WHOLE_MINUTES:g} when not given, 0 for no end",
    )
    parser.add_argument("--size", type=float, default=1.0, help="a share of the full sizes, as 0.1")
    parser.add_argument("--keep", type=Path, default=report.FOLDER, help="the folder for the figures")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        print(f"There is no part {', '.join(unknown)}; there are {', '.join(PARTS)}.")
        return 2
    chosen = given.parts or list(PARTS)
    lanes = [
        [PARTS[name].minutes for name in chosen if PARTS[name].runs_beside is lane] for lane in (True, False)
    ]
    shares = max(map(sum, lanes))
    taken: list[report.Taken] = []
    guard = threading.Lock()

    def take(name: str) -> None:
        minutes = PARTS[name].minutes * (1.0 if given.minutes is None else given.minutes / shares)
        seconds = minutes * 60 if given.minutes != 0 else float("inf")
        print(f"\n{name}: {PARTS[name].proves}. Seed {given.seed} …", flush=True)
        began = time.monotonic()
        found = _run(name, seed=given.seed, seconds=seconds, size=given.size)
        one = report.Taken(found, took_s=time.monotonic() - began, minutes=minutes, size=given.size)
        with guard:
            print(report.paragraph(one), flush=True)
            taken.append(one)
            report.keep([one], folder=given.keep)

    with ThreadPoolExecutor(1) as beside:
        aside = [beside.submit(take, name) for name in chosen if PARTS[name].runs_beside]
        for name in chosen:
            if not PARTS[name].runs_beside:
                take(name)
        for one in aside:
            one.result()
    print(f"\nThe figures are in {given.keep}.")
    return 0 if all(one.report.holds and one.report.tried for one in taken) else 1


def _run(name: str, *, seed: int, seconds: float, size: float) -> PartReport:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [
            sys.executable,
            "-m",
            "tests.proof.part",
            name,
            str(seed),
            str(seconds),
            str(size),
            file.name,
        ]
        if PARTS[name].runs_beside:
            command = ["nice", "-n", "10", *command]
        ended = subprocess.run(command, cwd=ROOT, env=dict(os.environ))
        text = Path(file.name).read_text()
    if not text:
        return PartReport(
            name, seed, {}, holds=False, tried=0, found=(f"the part ended with code {ended.returncode}",)
        )
    kept = json.loads(text)
    return PartReport(**{**kept, "found": tuple(kept["found"])})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

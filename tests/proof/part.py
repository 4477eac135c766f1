"""One part in a process of its own: starts the installation that the part needs, runs it, and writes its report."""

import importlib
import json
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import django

from tests.proof.parts import PARTS, Bounds, PartReport
from tests.proof.stack import running

MOST_ERRORS, LONGEST_ERROR = 6, 3000


def main(name: str, seed: int, bounds: Bounds, file: Path) -> None:
    """Run the part and write what it reports; what it raises is a finding as well."""
    folder = Path(tempfile.mkdtemp(prefix=f"open-wallet-{name}-"))
    try:
        with running(folder, part=PARTS[name]) as stack:
            os.environ.update(stack.environment)
            os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
            django.setup()
            module = importlib.import_module(f"tests.proof.{name}")
            try:
                # What it took to start isn't the part's.
                found: PartReport = module.run(stack, seed, Bounds(bounds.seconds, bounds.size))
            except Exception:  # noqa: BLE001 - whatever goes wrong is told, with the logs beside it
                told = traceback.format_exc()
                print(
                    told, "\n".join(stack.last_words(program)[-500:] for program in stack.programs), sep="\n"
                )
                found = PartReport(
                    name, seed, {}, holds=False, tried=0, found=(told.strip().splitlines()[-1],)
                )
            if not found.holds:
                # The whole of a traceback is in one line of the log.
                errors = [line for line in stack.said().splitlines() if '"level":"error"' in line]
                print(*[line[-LONGEST_ERROR:] for line in errors[:MOST_ERRORS]], sep="\n")
        file.write_text(json.dumps(found.kept()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    chosen, seed_given, seconds_given, size_given, file_given = sys.argv[1:]
    main(
        chosen,
        int(seed_given),
        Bounds(float(seconds_given), float(size_given)),
        Path(file_given),
    )

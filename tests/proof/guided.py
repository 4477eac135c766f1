"""`python -m tests.proof.guided TARGET FOLDER [libFuzzer's options]`: one target under a fuzzer that is guided by coverage.

What a target raises is noted and the fuzzer goes on; only what ends the process (a hang, the memory, a crash of
compiled code) ends it, with the input in FOLDER. Nothing of `payments` may be imported before it is instrumented.
"""

import base64
import importlib
import inspect
import json
import logging
import mmap
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import django
import structlog
from django.conf import settings

COUNTED, COUNT_BYTES = ("read", "refused"), 8
MOST_NOTED, LONGEST_SAYING = 20, 120
FOUND, COUNTS, WORDS, CORPUS = "found.ndjson", "counts", "words", "corpus"


class Notes:
    """What became of the inputs: counts that outlive the process, and the first input of each thing that broke."""

    def __init__(self, folder: Path) -> None:
        file = folder / COUNTS
        if not file.exists():
            file.write_bytes(bytes(COUNT_BYTES * len(COUNTED)))
        with file.open("r+b") as opened:
            self._kept = mmap.mmap(opened.fileno(), 0)
        self._counts = memoryview(self._kept).cast("Q")
        self._file = folder / FOUND
        self._places = {one["place"] for one in noted(folder)}

    def count(self, outcome: str) -> None:
        """Count an input that was read, or refused as it should be."""
        self._counts[COUNTED.index(outcome)] += 1

    def note(self, data: bytes, problem: BaseException) -> None:
        """Note what broke, unless the same broke at the same place before."""
        last = traceback.extract_tb(problem.__traceback__)[-1]
        place = f"{type(problem).__name__} in {Path(last.filename).name}, line {last.lineno}"
        if place in self._places or len(self._places) >= MOST_NOTED:
            return
        self._places.add(place)
        entry = {
            "place": place,
            "says": str(problem)[:LONGEST_SAYING],
            "input": base64.b64encode(data).decode(),
        }
        with self._file.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def noted(folder: Path) -> list[dict[str, str]]:
    """Read what was noted to be broken."""
    file = folder / FOUND
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def counted(folder: Path) -> dict[str, int]:
    """Read how many inputs became what."""
    file = folder / COUNTS
    raw = file.read_bytes() if file.exists() else bytes(COUNT_BYTES * len(COUNTED))
    return dict(zip(COUNTED, memoryview(raw).cast("Q"), strict=True))


def tried(feed: Callable[[bytes], str], notes: Notes) -> Callable[[bytes], None]:
    """Make the function that the fuzzer calls: it counts, notes, and never raises."""

    def one_input(data: bytes) -> None:
        try:
            notes.count(feed(data))
        except Exception as problem:  # noqa: BLE001 - whatever isn't a refusal is a finding
            notes.note(data, problem)

    return one_input


def main(name: str, folder: Path, options: list[str]) -> None:
    """Write the seeds and the words into the folder and fuzz; the fuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["payments"]):
        django.setup()
        module = importlib.import_module(f"tests.proof.targets.{name}")
    # A line for each refusal would be most of the work.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for function in vars(module).values():
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            atheris.instrument_func(function)  # so that an input is kept for the way that it goes
    for setting, value in module.configuration(folder).items():
        setattr(settings, setting, value)
    target = module.target()
    corpus = folder / CORPUS
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds.values()):
        (corpus / f"seed-{number}").write_bytes(seed.data)
    words = [json.dumps(word) for word in target.words]
    (folder / WORDS).write_text("\n".join(words) + "\n")
    command = [name, *options, f"-dict={folder / WORDS}", f"-artifact_prefix={folder}/", str(corpus)]
    atheris.Setup(command, tried(target.feed, Notes(folder)))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])

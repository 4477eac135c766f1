"""What is printed of a part, and what is kept in `docs/proof`: one JSON file, and one page of tables."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.proof.parts import PARTS, PartReport

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "proof"
SECURITY = ROOT / "SECURITY.md"
TABLE_HEAD = "| promise | part | seed, day | found | command |\n| --- | --- | --- | --- | --- |\n"
RUNS_KEPT = 2
HEAD = """# What the campaign found

`make soak` tries to make Open Wallet lose a cent, on the real stack and from outside, and writes this page; what each part does
stands in [tests/proof](../../tests/proof/README.md). Of each part the last run is kept, and the last one before it whose dice
had another seed. **held**: nothing broke in what was tried. **in part**: the time that was given ran out before the full size was
reached; the figures are what was reached. **not run**: it ran out before anything was tried, so nothing is proved. The machine and
the findings are in [latest.json](latest.json) too.

"""


@dataclass(frozen=True)
class Taken:
    """A report, and what it took."""

    report: PartReport
    took_s: float
    minutes: float
    """What it was given."""
    size: float

    @property
    def outcome(self) -> str:
        if not self.report.holds:
            return "**broken**"
        if not self.report.tried:
            return "not run"
        return "held" if self.report.is_complete and self.size >= 1 else "held, in part"

    def kept(self) -> dict[str, Any]:
        """Give it as JSON keeps it."""
        return {
            **self.report.kept(),
            "outcome": self.outcome.strip("*"),
            "took_s": round(self.took_s, 1),
            "minutes_given": round(self.minutes, 4),
            "size": self.size,
            "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
        }


def machine() -> dict[str, Any]:
    """Tell what the run had to itself, and what else was going on."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "system": platform.system(),
        "python": platform.python_version(),
    }


def figures_in_words(figures: dict[str, Any]) -> str:
    """Write the figures in one line."""
    return ", ".join(f"{name} {_in_words(value)}" for name, value in figures.items())


def paragraph(taken: Taken) -> str:
    """Write what a person at the terminal reads."""
    lines = [
        f"{taken.report.name}: {taken.outcome} after {taken.took_s:.0f} s (seed {taken.report.seed})",
        f"  {figures_in_words(taken.report.figures)}",
        *(f"  found: {found}" for found in taken.report.found),
    ]
    return "\n".join(lines)


def keep(taken: Sequence[Taken], *, folder: Path) -> None:
    """Write these runs beside the earlier ones: of each part the newest, and the newest with another seed."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "latest.json"
    known: dict[str, list[dict[str, Any]]] = json.loads(file.read_text()) if file.exists() else {}
    for one in taken:
        others = [run for run in known.get(one.report.name, []) if run["seed"] != one.report.seed]
        known[one.report.name] = [one.kept(), *others][:RUNS_KEPT]
    known = {name: known[name] for name in PARTS if name in known}
    file.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n")
    (folder / "README.md").write_text(page(known))
    if folder == FOLDER:
        text = SECURITY.read_text()
        SECURITY.write_text(text.replace(table_in(text), promises(known)))


def table_in(text: str) -> str:
    """Give the table of what was tried as it stands in SECURITY.md."""
    begins = text.index(TABLE_HEAD)
    return text[begins : text.index("\n\n", begins) + 1]


def promises(known: dict[str, list[dict[str, Any]]]) -> str:
    """Write the table of SECURITY.md: each promise, what stands for it, and the figures of each kept run."""
    rows = []
    for promise in dict.fromkeys(part.promise for part in PARTS.values()):
        for name in (one for one, part in PARTS.items() if part.promise == promise):
            command = f'`make soak ARGS="{name}"`'
            for run in known.get(name, []):
                shown = {
                    figure: run["figures"][figure] for figure in PARTS[name].shows if figure in run["figures"]
                }
                told = f"{run['outcome']}: {figures_in_words(shown)}"
                rows.append(
                    f"| {promise} | {name} | {run['seed']}, {run['ended_at'][:10]} | {told} | {command} |\n"
                )
            if name not in known:
                rows.append(f"| {promise} | {name} | | no run is kept | {command} |\n")
    return TABLE_HEAD + "".join(rows)


def page(known: dict[str, list[dict[str, Any]]]) -> str:
    """Write the page: all parts with their outcomes, then the figures of each, a column for each run."""
    twice = [name for name, runs in known.items() if [run["outcome"] for run in runs] == ["held"] * RUNS_KEPT]
    lines = [
        f"**{len(twice)} of {len(PARTS)} parts held at full size with two seeds.**\n",
        "| part | what is proved | last run | another seed |",
        "| --- | --- | --- | --- |",
    ]
    for name, part in PARTS.items():
        told = [_outcome(run) for run in known.get(name, [])]
        told += ["not kept"] * (RUNS_KEPT - len(told))
        lines.append(f"| [`{name}`](#{name}) | {part.proves} | {' | '.join(told)} |")
    for name, runs in known.items():
        lines += ["", f"## {name}", "", f"{PARTS[name].proves}.", ""]
        lines += _table(runs)
        lines += ["", *(f"    {_command(name, run)}" for run in runs)]
        lines += ["", *(f"- seed {run['seed']} found: {text}" for run in runs for text in run["found"])]
    return HEAD + "\n".join(lines).rstrip() + "\n"


def _outcome(run: dict[str, Any]) -> str:
    return f"{run['outcome']}, seed {run['seed']}, {run['took_s'] / 60:.1f} min, {run['ended_at'][:10]}"


def _table(runs: Sequence[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for run in runs for name in run["figures"])
    columns = " | ".join(f"seed {run['seed']}" for run in runs)
    lines = [f"| figure | {columns} |", f"| --- |{' --- |' * len(runs)}"]
    for name in names:
        cells = " | ".join(_in_words(run["figures"].get(name, "")) for run in runs)
        lines.append(f"| {name} | {cells} |")
    return lines


def _in_words(value: float | str) -> str:
    return value.replace("|", "\\|") if isinstance(value, str) else f"{value:,}"


def _command(name: str, run: dict[str, Any]) -> str:
    """Write what repeats this very run, alone: its dice, its share of the full size, and its time."""
    given = f"{name} --seed {run['seed']} --size {run['size']:g} --minutes {run['minutes_given']:g}"
    return f'make soak ARGS="{given}"'

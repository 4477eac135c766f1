"""What is printed of a part, and what is kept in `docs/proof`: one JSON file and one table."""

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
HEAD = """# What the campaign found

`make soak` tries to make Open Wallet lose a cent, on the real stack and from outside, and writes this page; what each part does
stands in [tests/proof](../../tests/proof/README.md). Each line is the last run of its part, with the seed that repeats its dice.
**held**: nothing broke in what was tried. **in part**: the time that was given ran out before the full size was reached; the
figures are what was reached. **not run**: it ran out before anything was tried, so nothing is proved. The dates, the machine and all figures are in [latest.json](latest.json) too.

| part | what is proved | outcome | figures | seed, minutes taken | command |
| --- | --- | --- | --- | --- | --- |
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
    return ", ".join(
        f"{name} {value:,}" if isinstance(value, int | float) else f"{name} {value}"
        for name, value in figures.items()
    )


def paragraph(taken: Taken) -> str:
    """Write what a person at the terminal reads."""
    lines = [
        f"{taken.report.name}: {taken.outcome} after {taken.took_s:.0f} s (seed {taken.report.seed})",
        f"  {figures_in_words(taken.report.figures)}",
        *(f"  found: {found}" for found in taken.report.found),
    ]
    return "\n".join(lines)


def keep(taken: Sequence[Taken], *, folder: Path) -> None:
    """Write these parts beside those of earlier runs."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "latest.json"
    before: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    latest = {**before, **{one.report.name: one.kept() for one in taken}}
    latest = {name: latest[name] for name in PARTS if name in latest}
    file.write_text(json.dumps(latest, indent=2, ensure_ascii=False) + "\n")
    (folder / "README.md").write_text(HEAD + "".join(_row(name, one) for name, one in latest.items()))


def _row(name: str, kept: dict[str, Any]) -> str:
    cells = (
        f"`{name}`",
        PARTS[name].proves,
        kept["outcome"],
        figures_in_words(kept["figures"]),
        f"{kept['seed']}, {kept['took_s'] / 60:.1f}",
        f"`{_command(name, kept)}`",
    )
    return f"| {' | '.join(cells)} |\n"


def _command(name: str, kept: dict[str, Any]) -> str:
    """Write what repeats this very run, alone: its dice, its share of the full size, and its time."""
    given = f"{name} --seed {kept['seed']} --size {kept['size']:g} --minutes {kept['minutes_given']:g}"
    return f'make soak ARGS="{given}"'

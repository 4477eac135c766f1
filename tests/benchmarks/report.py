"""The figures: medians of the rounds, the ratios that matter, a table for people and JSON to keep."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.measurements import Measurement

PGBENCH = "transfer, SQL alone (pgbench)"
TRANSFER = "transfer over HTTP"
USUAL_TRANSFER = "transfer, usual DRF"
READ = "wallet read over HTTP"
USUAL_READ = "wallet read, usual DRF"


@dataclass(frozen=True)
class Ratio:
    """One comparison within a round, and what it shall be."""

    name: str
    wanted: str
    over: tuple[str, str]
    under: tuple[str, str]
    is_met_at: float
    is_upper_bound: bool = False

    def of(self, found: dict[str, Measurement]) -> float:
        """Tell the ratio within one round."""
        return float(
            getattr(found[self.over[0]], self.over[1]) / getattr(found[self.under[0]], self.under[1])
        )

    def is_met(self, value: float) -> bool:
        """Whether the value is at least as good as wanted."""
        return value <= self.is_met_at if self.is_upper_bound else value >= self.is_met_at


RATIOS = (
    Ratio(
        "CPU of a transfer, application and PostgreSQL / SQL alone",
        "≤ 2.4",
        (TRANSFER, "cpu_ms"),
        (PGBENCH, "cpu_ms"),
        2.4,
        is_upper_bound=True,
    ),
    Ratio("transfer rate / SQL alone", "≥ 0.45", (TRANSFER, "rate"), (PGBENCH, "rate"), 0.45),
    Ratio("transfer rate / usual DRF", "≥ 3", (TRANSFER, "rate"), (USUAL_TRANSFER, "rate"), 3.0),
    Ratio("wallet read rate / usual DRF", "≥ 4", (READ, "rate"), (USUAL_READ, "rate"), 4.0),
    Ratio("wallet read, p99 / p50", "≤ 5", (READ, "p99_ms"), (READ, "p50_ms"), 5.0, is_upper_bound=True),
)
COLUMNS = {
    "rate": "per second",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "application_cpu_ms": "app CPU ms",
    "postgresql_cpu_ms": "PG CPU ms",
    "store_cpu_ms": "Valkey CPU ms",
}


def keep(
    path: Path, *, machine: dict[str, Any], settings: dict[str, Any], taken: dict[str, list[Measurement]]
) -> dict[str, Any]:
    """Sum up the rounds, write them to `path` and return them. A ratio is the median of the rounds' own ratios."""
    rounds = [dict(zip(taken, found, strict=True)) for found in zip(*taken.values(), strict=True)]
    ratios = {}
    for ratio in RATIOS:
        value = median(ratio.of(found) for found in rounds)
        ratios[ratio.name] = {"value": round(value, 3), "wanted": ratio.wanted, "is_met": ratio.is_met(value)}
    result = {
        "machine": machine,
        "settings": settings,
        "medians": {
            name: {column: round(median(getattr(one, column) for one in found), 3) for column in COLUMNS}
            for name, found in taken.items()
        },
        "ratios": ratios,
        "rounds": {name: [asdict(one) for one in found] for name, found in taken.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return result


def printed(result: dict[str, Any]) -> str:
    """Lay the result out for a terminal."""
    machine, settings = result["machine"], result["settings"]
    build = "profile-guided" if machine["python_profile_guided"] else "NOT profile-guided"
    linking = "with" if machine["python_link_time_optimized"] else "without"
    linking = "with" if machine["python_link_time_optimized"] else "without"
    lines = [
        "",
        f"{machine['cpu']}, {machine['cores']} cores shared by PostgreSQL, application and load; {machine['system']}",
        f"Python {machine['python']} ({machine['python_compiler']}, {build}, {linking} link-time optimization)",
        f"PostgreSQL {machine['postgresql']}, {machine['key_value_store']}",
        ", ".join(f"{package} {version}" for package, version in machine["packages"].items()),
        f"Medians of {settings['rounds']} interleaved rounds of {settings['seconds']:g} s; {settings['connections']} connections",
        f"A transfer takes {settings['round_trips']} round trips to PostgreSQL.",
        "",
        f"{'':<32}" + "".join(f"{title:>15}" for title in COLUMNS.values()),
    ]
    for name, figures in result["medians"].items():
        lines.append(f"{name:<32}" + "".join(f"{figures[column]:>15,.2f}" for column in COLUMNS))
    lines.append("")
    for name, ratio in result["ratios"].items():
        verdict = "" if ratio["is_met"] else "   not met"
        lines.append(f"{name:<60}{ratio['value']:>8.2f}   wanted {ratio['wanted']}{verdict}")
    return "\n".join([*lines, ""])

"""The figures: medians of the rounds, the ratios that matter, a table for people and JSON to keep."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.measurements import Measurement

PGBENCH = "transfer, SQL alone (pgbench)"
PREPARED = "transfer, SQL alone, prepared"
TRANSFER = "transfer over HTTP"
USUAL_TRANSFER = "transfer, usual DRF"
READ = "wallet read over HTTP"
USUAL_READ = "wallet read, usual DRF"
TPC_B = "TPC-B (pgbench's own)"
BATCH = "transfers, 1,000 in a batch"
LARGE_BATCH = "transfers, 10,000 in a batch"
HOT = "transfers into one wallet"
HOT_CROWD = "transfers into one wallet, 64 clients"
SYSTEM = "payments into a system account"
IN_PROCESS = "transfer in process"
USUAL_IN_PROCESS = "transfer in process, usual ORM"
CPU_RATIO = "CPU of a transfer, application and PostgreSQL / SQL alone"


@dataclass(frozen=True)
class Ratio:
    """One comparison within a round, and what it shall be."""

    name: str
    over: tuple[str, str]
    under: tuple[str, str]
    at_most: float | None = None
    at_least: float | None = None

    @property
    def wanted(self) -> str:
        """The bound as people read it; empty where the ratio is there for comparison only."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:g}"

    def of(self, found: dict[str, Measurement]) -> float:
        """Tell the ratio within one round."""
        return float(
            getattr(found[self.over[0]], self.over[1]) / getattr(found[self.under[0]], self.under[1])
        )

    def is_met(self, value: float) -> bool:
        """Whether the value is at least as good as wanted."""
        if self.at_most is not None:
            return value <= self.at_most
        return self.at_least is None or value >= self.at_least


RATIOS = (
    Ratio(CPU_RATIO, (TRANSFER, "cpu_ms"), (PGBENCH, "cpu_ms"), at_most=2.4),
    Ratio("transfer rate / SQL alone", (TRANSFER, "rate"), (PGBENCH, "rate"), at_least=0.45),
    Ratio("CPU of a transfer / SQL alone, prepared", (TRANSFER, "cpu_ms"), (PREPARED, "cpu_ms")),
    Ratio("transfer rate / SQL alone, prepared", (TRANSFER, "rate"), (PREPARED, "rate")),
    Ratio("transfer rate / usual DRF", (TRANSFER, "rate"), (USUAL_TRANSFER, "rate"), at_least=3.0),
    Ratio("wallet read rate / usual DRF", (READ, "rate"), (USUAL_READ, "rate"), at_least=4.0),
    Ratio("wallet read, p99 / p50", (READ, "p99_ms"), (READ, "p50_ms"), at_most=5.0),
    Ratio("transfers in batches of 1,000 / TPC-B", (BATCH, "rate"), (TPC_B, "rate"), at_least=10.0),
    Ratio("transfers in batches of 10,000 / TPC-B", (LARGE_BATCH, "rate"), (TPC_B, "rate"), at_least=20.0),
    Ratio("rate into one wallet / spread over many", (HOT, "rate"), (TRANSFER, "rate"), at_least=0.55),
    Ratio("rate into one wallet, 64 clients / 8", (HOT_CROWD, "rate"), (HOT, "rate"), at_least=0.8),
    Ratio("rate into a system account / spread", (SYSTEM, "rate"), (TRANSFER, "rate"), at_least=1.0),
    Ratio("transfer in process / usual ORM", (IN_PROCESS, "rate"), (USUAL_IN_PROCESS, "rate"), at_least=3.0),
)
COLUMNS = {
    "rate": "per second",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "application_cpu_ms": "app CPU ms",
    "postgresql_cpu_ms": "PG CPU ms",
    "store_cpu_ms": "Valkey CPU ms",
}


@dataclass(frozen=True)
class Figure:
    """A value that is no ratio of two rounds' measurements, and its bound."""

    name: str
    value: float
    at_most: float


def keep(
    path: Path,
    *,
    machine: dict[str, Any],
    settings: dict[str, Any],
    taken: dict[str, list[Measurement]],
    figures: Sequence[Figure] = (),
    growth: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Sum up the rounds, write them to `path` and return them. A ratio is the median of the rounds' own ratios."""
    rounds = [dict(zip(taken, found, strict=True)) for found in zip(*taken.values(), strict=True)]
    ratios = {}
    for ratio in RATIOS:
        value = median(ratio.of(found) for found in rounds)
        ratios[ratio.name] = {"value": round(value, 3), "wanted": ratio.wanted, "is_met": ratio.is_met(value)}
    for figure in figures:
        ratios[figure.name] = {
            "value": round(figure.value, 3),
            "wanted": f"≤ {figure.at_most:g}",
            "is_met": figure.value <= figure.at_most,
        }
    result = {
        "machine": machine,
        "settings": settings,
        "medians": {
            name: {column: round(median(getattr(one, column) for one in found), 3) for column in COLUMNS}
            for name, found in taken.items()
        },
        "ratios": ratios,
        "growth": list(growth),
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
    lines = [
        "",
        f"{machine['cpu']}, {machine['cores']} cores shared by PostgreSQL, application and load; {machine['system']}",
        f"Python {machine['python']} ({machine['python_compiler']}, {build}, {linking} link-time optimization)",
        f"PostgreSQL {machine['postgresql']}, {machine['key_value_store']}",
        ", ".join(f"{package} {version}" for package, version in machine["packages"].items()),
        f"Medians of {settings['rounds']} interleaved rounds of {settings['seconds']:g} s; {settings['connections']} connections",
        f"A transfer takes {settings['round_trips']} round trips to PostgreSQL.",
        "",
        f"{'':<40}" + "".join(f"{title:>15}" for title in COLUMNS.values()),
    ]
    for name, figures in result["medians"].items():
        lines.append(f"{name:<40}" + "".join(f"{figures[column]:>15,.2f}" for column in COLUMNS))
    lines.append("")
    for name, ratio in result["ratios"].items():
        verdict = "" if ratio["is_met"] else "   not met"
        wanted = f"   wanted {ratio['wanted']}" if ratio["wanted"] else ""
        lines.append(f"{name:<60}{ratio['value']:>8.2f}{wanted}{verdict}")
    lines.extend(
        f"among {level['lines']:>9,} lines: {level['transfers']:,.0f} transfers a second over HTTP,"
        f" {level['application_cpu_ms'] + level['postgresql_cpu_ms']:.2f} ms of CPU each"
        for level in result["growth"]
    )
    return "\n".join([*lines, ""])

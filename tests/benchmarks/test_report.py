"""The figures that `make bench` keeps are medians, and a ratio is taken within each round."""

import json
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.measurements import Measurement, quantile

NAMES = {name for ratio in report.RATIOS for name in (ratio.over[0], ratio.under[0])}


def measured(rate: float, *, application_cpu_ms: float = 0.0, postgresql_cpu_ms: float = 1.0) -> Measurement:
    return Measurement(
        operations=10,
        rate=rate,
        p50_ms=2.0,
        p99_ms=8.0,
        application_cpu_ms=application_cpu_ms,
        postgresql_cpu_ms=postgresql_cpu_ms,
        store_cpu_ms=0.0,
    )


def test_when_rounds_differ_then_ratios_are_medians_of_the_rounds_own(tmp_path: Path) -> None:
    taken = {name: [measured(100.0), measured(50.0), measured(400.0)] for name in NAMES}
    taken[report.TRANSFER] = [
        measured(40.0, application_cpu_ms=1.0),
        measured(30.0, application_cpu_ms=1.5),
        measured(100.0, application_cpu_ms=0.5),
    ]

    pages = report.Figure("page of history, deepest / first", 2.4, at_most=2.0)

    kept = report.keep(tmp_path / "figures.json", machine={}, settings={}, taken=taken, figures=[pages])

    assert kept["medians"][report.TRANSFER]["rate"] == 40.0
    assert kept["ratios"]["transfer rate / SQL alone"] == {"value": 0.4, "wanted": "≥ 0.45", "is_met": False}
    assert kept["ratios"]["CPU of a transfer, application and PostgreSQL / SQL alone"] == {
        "value": 2.0,
        "wanted": "≤ 2.4",
        "is_met": True,
    }
    assert kept["ratios"]["transfer rate / SQL alone, prepared"] == {
        "value": 0.4,
        "wanted": "",
        "is_met": True,
    }
    assert kept["ratios"][pages.name] == {"value": 2.4, "wanted": "≤ 2", "is_met": False}
    assert json.loads((tmp_path / "figures.json").read_text()) == kept


def test_when_a_share_of_ordered_values_is_asked_for_then_it_is_the_value_that_covers_it() -> None:
    ordered = [float(value) for value in range(1, 101)]

    found = (quantile(ordered, 0.50), quantile(ordered, 0.99), quantile([3.0], 0.99))

    assert found == (50.0, 99.0, 3.0)

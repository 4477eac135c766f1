"""What the campaign says of its parts."""

import json
from pathlib import Path

import pytest

from tests.proof import report
from tests.proof.parts import PARTS, Figures, PartReport
from tests.proof.report import Taken


def taken(
    *,
    holds: bool = True,
    tried: int = 5,
    is_complete: bool = True,
    size: float = 1.0,
    seed: int = 7,
    examples: int = 0,
) -> Taken:
    figures: Figures = {"examples": examples}
    found = PartReport("model", seed, figures, holds=holds, tried=tried, is_complete=is_complete)
    return Taken(found, took_s=60.0, minutes=1.5, size=size)


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        (taken(), "held"),
        (taken(is_complete=False), "held, in part"),
        (taken(size=0.5), "held, in part"),
        (taken(tried=0, is_complete=False), "not run"),
        (taken(tried=0), "not run"),
        (taken(holds=False), "**broken**"),
        (taken(holds=False, tried=0), "**broken**"),
    ],
)
def test_when_a_part_is_reported_then_it_never_says_more_than_was_tried(one: Taken, outcome: str) -> None:
    assert one.outcome == outcome


def test_when_a_run_is_kept_then_its_command_repeats_it(tmp_path: Path) -> None:
    report.keep([taken(size=0.125)], folder=tmp_path)

    page = (tmp_path / "README.md").read_text()
    assert 'make soak ARGS="model --seed 7 --size 0.125 --minutes 1.5"' in page


def test_when_a_part_is_run_with_other_seeds_then_the_newest_two_stand_side_by_side(tmp_path: Path) -> None:
    report.keep([taken(seed=1, examples=1)], folder=tmp_path)
    report.keep([taken(seed=2, examples=2000)], folder=tmp_path)

    report.keep([taken(seed=3, examples=3000)], folder=tmp_path)

    page = (tmp_path / "README.md").read_text()
    assert "| examples | 3,000 | 2,000 |" in page
    assert f"**1 of {len(PARTS)} parts held at full size with two seeds.**" in page


def test_when_a_seed_is_run_again_then_its_earlier_run_is_replaced(tmp_path: Path) -> None:
    report.keep([taken(seed=1, examples=1)], folder=tmp_path)
    report.keep([taken(seed=2, examples=2)], folder=tmp_path)

    report.keep([taken(seed=1, holds=False, examples=3)], folder=tmp_path)

    page = (tmp_path / "README.md").read_text()
    assert "| examples | 3 | 2 |" in page
    assert f"**0 of {len(PARTS)} parts held at full size with two seeds.**" in page


def test_when_the_table_of_promises_is_read_then_it_shows_the_runs_that_are_kept() -> None:
    known = json.loads((report.FOLDER / "latest.json").read_text())

    told = report.table_in(report.SECURITY.read_text())

    assert told == report.promises(known)
    assert (report.FOLDER / "README.md").read_text() == report.page(known)

"""Part 9, its first half: the storm at the provider, and jobs under kills, as `make chaos-payments` and `make chaos-workers` run them."""

import re

from tests.proof.parts import Bounds, Figures, PartReport
from tests.proof.pytest_runs import run_pytest
from tests.proof.stack import Stack

TOP_UPS, JOBS, KILLS, RACED_LINES = 2000, 2000, 60, 1000


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Run the campaigns of payments and automation in the size that is asked for."""
    sizes = {
        "CHAOS_TOP_UPS": bounds.of(TOP_UPS),
        "CHAOS_JOBS": bounds.of(JOBS),
        "CHAOS_KILLS": bounds.of(KILLS),
        "CHAOS_RACED_LINES": bounds.of(RACED_LINES),
    }
    variables = {"CHAOS_SEED": str(seed), **{name: str(size) for name, size in sizes.items()}}
    figures: Figures = {}
    found: list[str] = []
    is_complete, passed = True, 0
    for name, file in (
        ("top-ups in the storm", "tests/journeys/chaos_payments.py"),
        ("jobs under kills, refunds raced", "tests/workers/chaos.py"),
    ):
        outcome = run_pytest(
            stack, ["--capture=no", file], variables=variables, longest_s=max(20.0, bounds.left_s)
        )
        is_complete = is_complete and not outcome.was_cut
        passed += outcome.passed
        found += [*outcome.failed, *([outcome.printed[-1500:]] if outcome.failed else [])]
        figures[name] = (
            "cut off"
            if outcome.was_cut
            else f"{outcome.passed} of {outcome.passed + len(outcome.failed)} held"
        )
        for line in outcome.printed.splitlines():
            if re.match(r"(answers|charged|Each effect)", line):
                figures[line.partition(" ")[0]] = line.partition(" ")[2]
    figures |= {name.removeprefix("CHAOS_").lower().replace("_", " "): size for name, size in sizes.items()}
    return PartReport(
        "provider_chaos",
        seed,
        figures,
        holds=not found,
        tried=passed,
        is_complete=is_complete,
        found=tuple(found),
    )

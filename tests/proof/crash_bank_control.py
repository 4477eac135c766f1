"""The negative control of part 1: a database that acknowledges before it writes. The crash bank has to notice."""

from tests.proof.crash_bank import campaign
from tests.proof.parts import Bounds, PartReport
from tests.proof.stack import Stack

OPERATIONS, KILLS = 1_500, 6


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Kill PostgreSQL alone, some times; holds when the bank calls that broken because acknowledged effects are gone."""
    found = campaign(
        "crash_bank_control",
        stack,
        seed,
        bounds,
        wanted=OPERATIONS,
        kills=KILLS,
        victims=("postgres",),
    )
    is_red = not found.holds and int(found.figures["acknowledged and lost"]) > 0
    figures = {**found.figures, "the bank says": "broken" if not found.holds else "nothing"}
    missed = () if is_red else ("a database that loses what it acknowledged went unnoticed", *found.found)
    return PartReport(
        found.name, seed, figures, holds=is_red, tried=found.tried, is_complete=True, found=missed
    )

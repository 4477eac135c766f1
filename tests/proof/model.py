"""Part 4: the Hypothesis state machines in their long form, on PostgreSQL."""

from tests.proof.parts import Bounds, PartReport
from tests.proof.pytest_runs import run_pytest
from tests.proof.stack import Stack

EXAMPLES, STEPS = 512, 50
MACHINES = ("tests/transactions/test_model.py", "tests/wallets/test_holds_model.py")


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Run both machines with their long sizes, as often as it takes in slices of examples until time is over."""
    wanted, done, steps, number = bounds.of(EXAMPLES), 0, 0, 0
    found: list[str] = []
    slice_ = min(wanted, 64)
    while done < wanted and not bounds.is_over and not found:
        outcome = run_pytest(
            stack,
            [*MACHINES, f"--hypothesis-seed={seed + number}"],
            variables={"MODEL_EXAMPLES": str(slice_), "MODEL_STEPS": str(STEPS)},
            longest_s=max(30.0, bounds.left_s),
        )
        found += [*outcome.failed, *([outcome.printed[-2000:]] if outcome.failed else [])]
        if outcome.was_cut:
            break
        done, steps, number = done + slice_, steps + slice_ * STEPS, number + 1
    figures = {
        "machines": len(MACHINES),
        "examples of each": done,
        "steps of each example": STEPS,
        "steps of each machine at most": steps,
        "seeds": f"{seed} to {seed + max(number - 1, 0)}",
    }
    return PartReport(
        "model", seed, figures, holds=not found, tried=done, is_complete=done >= wanted, found=tuple(found)
    )

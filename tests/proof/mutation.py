"""Part 11: each mechanism that protects money is removed in a copy of the project; a test of the suite has to notice."""

import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.proof.parts import Bounds, Figures, PartReport
from tests.proof.pytest_runs import run_pytest
from tests.proof.stack import Stack
from tests.workers.installation import ROOT


@dataclass(frozen=True)
class Mutant:
    """A mechanism, where it stands, what is left of it, and the tests that have to go red."""

    file: str
    stands: str
    left: str
    tests: tuple[str, ...]


MUTANTS: dict[str, Mutant] = {
    "lock": Mutant(
        "wallets/locks.py",
        " ORDER BY w.id FOR UPDATE OF w, a",
        " ORDER BY w.id",
        ("tests/races/test_lock_order.py",),
    ),
    "lock order": Mutant(
        "wallets/locks.py",
        "ORDER BY w.id FOR UPDATE",
        "ORDER BY w.id DESC FOR UPDATE",
        ("tests/races/test_lock_order.py",),
    ),
    "idempotency key": Mutant(
        "transactions/idempotency.py",
        '" VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"',
        '" VALUES (%s, %s || gen_random_uuid()::text, %s, %s, %s, %s, %s, %s)"',
        ("tests/transactions/test_idempotency.py",),
    ),
    "CHECK of the floor": Mutant(
        "transactions/migrations/0002_guards.py",
        '\n"""\n\nGUARDED',
        "\nALTER TABLE transactions_ledgeraccount DROP CONSTRAINT account_never_below_its_floor;\n"
        '"""\n\nGUARDED',
        ("tests/transactions/test_guards.py",),
    ),
    "append-only trigger": Mutant(
        "transactions/migrations/0002_guards.py",
        "WHEN (OLD.status <> 'pending' OR NEW.status = 'pending'\n          OR (NEW.id, NEW.transfer_id",
        "WHEN (false AND OLD.status <> 'pending' AND NEW.status = 'pending'\n          AND (NEW.id, NEW.transfer_id",
        ("tests/transactions/test_guards.py",),
    ),
    "outbox": Mutant(
        "events/outbox.py",
        "        cursor.execute(INSERT_ENTRY, entry_row(kind, payload, now()))",
        "        entry_row(kind, payload, now())",
        ("tests/events/test_relay.py",),
    ),
    "place of what is sealed (AAD)": Mutant(
        "users/sealing.py",
        "_place(key_id, table, column, row_id))",
        'b"")',
        ("tests/users/test_sealing.py",),
    ),
    "scope check": Mutant(
        "config/gateway/scopes.py",
        "        return scope == AUTHENTICATED or any(",
        "        return scope is not None or any(",
        ("tests/access/test_matrix.py",),
    ),
    "signature check": Mutant(
        "payments/senders/timed_signatures.py",
        "    if not any(matches):",
        "    if not matches:",
        ("tests/payments/test_webhook_signatures.py",),
    ),
    "single use of a session": Mutant(
        "payments/sessions.py",
        "    if session.status == SessionStatus.CONSUMED and not may_try_again(session):",
        "    if session.status == SessionStatus.CONSUMED and session is None:",
        ("tests/payments/test_mobile_payments.py", "tests/payments/test_sessions.py"),
    ),
    "another one approves": Mutant(
        "wallets/adjustments.py",
        "    if adjustment.requested_by == person.id:",
        "    if adjustment.requested_by is None:",
        ("tests/wallets/test_adjustments.py",),
    ),
    "rate limit": Mutant(
        "config/gateway/rate_limits.py",
        "        return self.wait_s is None\n",
        "        return True\n",
        ("tests/gateway/test_rate_limits.py",),
    ),
}


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Remove one mechanism at a time, in an order by dice, and run the tests that have to miss it."""
    figures: Figures = {}
    found: list[str] = []
    names = random.Random(seed).sample(list(MUTANTS), len(MUTANTS))
    tried = 0
    for name in names:
        if bounds.is_over:
            break
        copy = stack.folder / "mutant"
        copy_project(copy)
        plant(copy, MUTANTS[name])
        outcome = run_pytest(stack, ["-x", *MUTANTS[name].tests], root=copy, longest_s=bounds.left_s)
        shutil.rmtree(copy)
        if outcome.was_cut:
            break
        tried += 1
        if outcome.failed:
            figures[f"without {name}"] = f"red by {outcome.failed[0].rpartition('.')[2]}"
        else:
            found.append(f"without {name} all {outcome.passed} tests of {MUTANTS[name].tests} pass")
    killed = len(figures)
    figures = {"mechanisms removed": tried, "noticed": killed, **figures}
    return PartReport(
        "mutation",
        seed,
        figures,
        holds=not found,
        tried=tried,
        is_complete=tried == len(MUTANTS),
        found=tuple(found),
    )


def copy_project(folder: Path) -> None:
    """Copy what git knows of the project."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        source, target = ROOT / name, folder / name
        if source.is_file() and not name.startswith("docs/"):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def plant(folder: Path, mutant: Mutant) -> None:
    """Remove the mechanism in the copy; raises LookupError where it doesn't stand as it is known."""
    file = folder / mutant.file
    text = file.read_text()
    if mutant.stands not in text:
        raise LookupError(f"{mutant.file} doesn't hold {mutant.stands!r} any more")
    file.write_text(text.replace(mutant.stands, mutant.left))

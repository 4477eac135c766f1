"""Part 1: a bank under a mixed load over HTTP while everything below it is killed. What was acknowledged is there, once."""

import http.client
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import psycopg
from django.db import connections

from tests.proof.bank_books import SUM_OF_ALL, Judgement, let_leases_end, unquiet
from tests.proof.bank_operations import Bank, Operation
from tests.proof.calls import AGAIN
from tests.proof.parts import Bounds, PartReport
from tests.proof.stack import Stack

OPERATIONS, KILLS, CLIENTS = 20_000, 100, 8
FEWEST_KILLS = 3
SMALL = 0.01
"""Below this share of the whole nobody waits for the leases of the dead in real time."""
VICTIMS = ("postgres", "web", "worker", "beat", "valkey", "provider")
QUIET_WITHIN_S = 60.0
STUCK_AFTER_S = 8.0
REAL_WAIT_S, SHORT_WAIT_S = 20.0, 3.0
"""After so long the sandbox's clock is moved past the leases of the dead and past the time in which a charge may appear."""
LONGEST_WAIT_S = 240.0
TRY_AGAIN_AFTER_S = 0.4


@dataclass
class Run:
    """What goes on at the moment."""

    stack: Stack
    bank: Bank
    wanted: int
    over: threading.Event = field(default_factory=threading.Event)
    drawn: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def done(self) -> int:
        return len(self.bank.acknowledged)

    def next_operation(self) -> Operation | None:
        """Draw one more, unless there are enough."""
        with self.guard:
            if self.drawn >= self.wanted or self.over.is_set():
                return None
            self.drawn += 1
        return self.bank.draw()


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Let clients work while programs are killed, evenly over all operations; then wait for quiet, and judge."""
    return campaign(
        "crash_bank",
        stack,
        seed,
        bounds,
        wanted=bounds.of(OPERATIONS),
        kills=max(FEWEST_KILLS, bounds.of(KILLS)),
    )


Strike = Callable[[Stack, str, random.Random], None]
"""Does to one program what the part is about."""


def kill(stack: Stack, victim: str, rng: random.Random) -> None:
    """Kill it; it is started again at once."""
    stack.kill(victim)


def campaign(
    name: str,
    stack: Stack,
    seed: int,
    bounds: Bounds,
    *,
    wanted: int,
    kills: int,
    victims: tuple[str, ...] = VICTIMS,
    strike: Strike = kill,
) -> PartReport:
    """Run the bank with that many operations and kills, and report."""
    rng = random.Random(seed)
    going = Run(stack, Bank(stack.port, rng), wanted)
    workers = [threading.Thread(target=_work, args=(going,)) for _ in range(CLIENTS)]
    readers = [threading.Thread(target=_read, args=(going, seed + n)) for n in range(2)]
    for thread in (*workers, *readers):
        thread.start()
    _strike_evenly(going, strike, strikes=kills, victims=victims, rng=random.Random(seed + 10), bounds=bounds)
    stack.wait_until_ready(longest_s=120)
    done, since = going.done, time.monotonic()
    while any(worker.is_alive() for worker in workers):
        stack.revive()
        time.sleep(0.1)
        if going.done != done:
            done, since = going.done, time.monotonic()
        elif time.monotonic() > since + STUCK_AFTER_S:
            # All that is left waits for a call whose process was killed.
            let_leases_end()
            since = time.monotonic()
    ended = time.monotonic()
    going.over.set()
    for reader in readers:
        reader.join()
    wait_s = REAL_WAIT_S if bounds.size >= SMALL else SHORT_WAIT_S
    left, was_moved_s = unquiet(), 0.0
    while left and time.monotonic() < ended + LONGEST_WAIT_S:
        stack.revive()
        time.sleep(0.5)
        if time.monotonic() > ended + max(wait_s, was_moved_s + 10):
            was_moved_s = time.monotonic() - ended
            let_leases_end()
        left = unquiet()
    quiet_s = time.monotonic() - ended
    judged = Judgement(going.bank, stack.folder / "provider")
    found = [*going.found, *going.bank.found, *judged.found]
    if left or quiet_s > QUIET_WITHIN_S:
        found.append(f"not quiet within {QUIET_WITHIN_S:.0f} s but after {quiet_s:.0f}: {left}")
    books = _check_books(stack)
    found += [books] if books else []
    figures = {
        "operations answered": going.done,
        **dict(sorted(going.bank.answers.items())),
        "kills": going.kills.total(),
        **{f"kills of {victim}": going.kills[victim] for victim in victims},
        "acknowledged and lost": judged.lost,
        "doubled": judged.doubled,
        **going.reads,
        "reads that summed wrong": len(going.found),
        "quiet after (s)": round(quiet_s, 1),
        "clock moved past leases": "yes" if was_moved_s else "no",
        "check_books": "clean" if not books else "broken",
    }
    connections.close_all()
    is_complete = going.done >= wanted and going.kills.total() >= kills
    return PartReport(
        name, seed, figures, holds=not found, tried=going.done, is_complete=is_complete, found=tuple(found)
    )


def _strike_evenly(
    going: Run, strike: Strike, *, strikes: int, victims: tuple[str, ...], rng: random.Random, bounds: Bounds
) -> None:
    """Strike one program after the other, each in its turn at random, as the operations proceed."""
    order: list[str] = []
    for number in range(strikes):
        due = going.wanted * (number + 1) / (strikes + 1)
        while going.done < due:
            going.stack.revive()
            if bounds.left_s < 90:
                going.over.set()
                return
            time.sleep(0.05)
        if not order:
            order = rng.sample(victims, len(victims))
        victim = order.pop()
        strike(going.stack, victim, rng)
        going.kills[victim] += 1
    while going.drawn < going.wanted:
        going.stack.revive()
        if bounds.left_s < 90:
            going.over.set()
            return
        time.sleep(0.05)


def _work(going: Run) -> None:
    """Make operations one after the other; one that isn't answered for good is tried again later, never dropped."""
    waiting: list[tuple[float, float, Operation]] = []
    try:
        while True:
            now = time.monotonic()
            due = next((one for one in waiting if one[0] <= now), None)
            if due is not None:
                waiting.remove(due)
            operation = due[2] if due else going.next_operation() if len(waiting) < 4 else None
            if operation is None:
                if not waiting:
                    return
                time.sleep(0.02)
                continue
            answer = operation.api.tried("POST", operation.path, operation.body, key=operation.key)
            began = due[1] if due else now
            if answer is None or (
                answer.status_code in AGAIN
                and (answer.status_code != 409 or b"idempotency_in_progress" in answer.content)
            ):
                if now - began > LONGEST_WAIT_S:
                    going.found.append(f"{operation.kind} {operation.key} is never answered: {answer}")
                    continue
                waiting.append((time.monotonic() + TRY_AGAIN_AFTER_S, began, operation))
                continue
            follows = going.bank.take(operation, answer)
            if follows is not None:
                waiting.append((0.0, time.monotonic(), follows))
    except Exception as error:
        going.found.append(f"a client broke: {error!r}")
        raise


def _read(going: Run, seed: int) -> None:
    """Look at wallets, at histories and at the sum of all accounts all the time; each answer has to agree with itself."""
    rng = random.Random(seed)
    while not going.over.wait(0.05):
        account = rng.choice(going.bank.accounts)
        try:
            _read_wallet(going, account.api, account.wallet)
            _read_sum(going)
        except (OSError, http.client.HTTPException, psycopg.Error):
            going.reads["reads without an answer"] += 1


def _read_wallet(going: Run, api: object, wallet: str) -> None:
    for path, agrees in (
        (f"/wallet/{wallet}", lambda told: told["available"] == told["balance"] - told["held"] >= 0),
        (
            f"/wallet/{wallet}/balance/explain",
            lambda told: (
                told["proof"]["agrees"]
                and told["opening"] + sum(one["amount"] for one in told["sums"]) == told["closing"]
            ),
        ),
        (f"/wallet/{wallet}/transactions?limit=100&status=completed", _is_a_chain),
    ):
        answer = api.tried("GET", path)  # type: ignore[attr-defined]
        if answer is None or answer.status_code != 200:
            going.reads["reads without an answer"] += 1
            continue
        going.reads["reads that agreed"] += 1
        if not agrees(answer.json()):
            going.reads["reads that agreed"] -= 1
            going.found.append(f"a read doesn't sum up: {path} {answer.content[:300]!r}")


def _is_a_chain(told: dict[str, list[dict[str, int]]]) -> bool:
    lines = told["results"]
    return all(
        newer["balance_after"] - newer["amount"] == older["balance_after"] for newer, older in pairwise(lines)
    )


def _read_sum(going: Run) -> None:
    with psycopg.connect(
        going.stack.cluster.application_url(), autocommit=True, connect_timeout=5
    ) as database:
        row = database.execute(SUM_OF_ALL).fetchone()
    going.reads["sums over all accounts"] += 1
    if row is None or row[0] != 0:
        going.found.append(f"all accounts together sum up to {row}")


def _check_books(stack: Stack) -> str:
    try:
        stack.manage("check_books", "--seals")
    except subprocess.CalledProcessError as broken:
        return f"check_books: {broken.stdout[-600:]}"
    return ""

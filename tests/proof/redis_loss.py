"""Part 9, its second half: Valkey is gone for seconds at a time, or empty from one moment to the next; money goes on."""

import random
import time

import redis

from tests.proof.crash_bank import campaign
from tests.proof.parts import Bounds, PartReport
from tests.proof.stack import Stack

OPERATIONS, LOSSES = 4_000, 24
GONE_FOR_S = (2.0, 8.0)


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Let the bank work while its broker and cache is taken away and emptied in turn; judge as the crash bank does."""
    return campaign(
        "redis_loss",
        stack,
        seed,
        bounds,
        wanted=bounds.of(OPERATIONS),
        kills=bounds.of(LOSSES),
        victims=("valkey",),
        strike=lose,
    )


def lose(stack: Stack, victim: str, rng: random.Random) -> None:
    """Keep it down for a while, or let it forget everything."""
    if rng.random() < 0.5:
        stack.keep_down(victim, for_s=rng.uniform(*GONE_FOR_S))
        return
    # The loss before this one gave it no time to start.
    stack.wait_until_ready(victim)
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as store:
        store.flushall()
    time.sleep(0.1)

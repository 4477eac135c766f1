"""The long forms: 2,000 jobs while broker, web, worker and beat are killed, refunds raced. `make chaos-workers`.

The seed is printed; CHAOS_SEED in the environment repeats it. pytest takes this file only when it is named.
"""

import os
import random
import time
from collections import Counter
from pathlib import Path

from tests.payments.customers import Customer
from tests.races.test_refund_races import ask_for_most_of_each
from tests.workers.kills import work_under_kills

JOBS = int(os.environ.get("CHAOS_JOBS") or 2000)
EVERY_S = (0.3, 4.0)
LEAST_KILLS = int(os.environ.get("CHAOS_KILLS") or 60)
LONGEST_S = 1200.0
RACED_LINES = int(os.environ.get("CHAOS_RACED_LINES") or 1000)


def test_when_processes_are_killed_during_2000_jobs_then_each_effect_is_there_once(
    unmoved_clock: None, database_environment: dict[str, str], tmp_path: Path
) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or time.time())
    print(f"\n{JOBS} jobs under kills, CHAOS_SEED={seed} …", flush=True)
    began = time.monotonic()

    kills = work_under_kills(
        tmp_path,
        environment=database_environment,
        jobs=JOBS,
        rng=random.Random(seed),
        every_s=EVERY_S,
        has_broker=True,
        least_kills=LEAST_KILLS,
        longest_s=LONGEST_S,
    )

    hit = ", ".join(f"{name} {times}" for name, times in sorted(Counter(kills).items()))
    print(
        f"Each effect is there once, after {time.monotonic() - began:.0f} s and {len(kills)} kills ({hit})."
    )
    assert {"valkey", "web", "worker", "beat"} <= set(kills)


def test_when_eight_race_for_refunds_of_1000_payments_then_one_of_them_gets_each(committed: None) -> None:
    ask_for_most_of_each(Customer.with_wallet("USD"), lines=RACED_LINES, longest_s=LONGEST_S)

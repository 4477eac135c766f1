"""Broker, worker, beat and web killed under load, in short: nothing is lost, and nothing is done twice.

`make chaos-workers` runs the long form of it.
"""

import random
from pathlib import Path

from tests.workers.kills import work_under_kills


def test_when_all_of_celery_is_killed_under_load_then_each_effect_is_there_once(
    unmoved_clock: None, database_environment: dict[str, str], tmp_path: Path
) -> None:
    kills = work_under_kills(
        tmp_path,
        environment=database_environment,
        jobs=36,
        rng=random.Random(1),
        every_s=(0.5, 1.5),
        has_broker=True,
        least_kills=6,
        longest_s=90,
    )

    assert {"valkey", "web", "worker", "beat"} <= set(kills)


def test_when_there_is_no_redis_and_the_sweeper_is_killed_then_each_effect_is_there_once(
    unmoved_clock: None, database_environment: dict[str, str], tmp_path: Path
) -> None:
    kills = work_under_kills(
        tmp_path,
        environment=database_environment,
        jobs=36,
        rng=random.Random(2),
        every_s=(0.5, 2.0),
        has_broker=False,
        least_kills=4,
        longest_s=90,
    )

    assert {"web", "work"} <= set(kills)

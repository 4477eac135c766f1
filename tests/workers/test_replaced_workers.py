"""A worker that is told to stop under load ends what it has begun, and the next one takes what is left."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.db import close_old_connections

from tests.workers.installation import installation
from tests.workers.jobs import Scene, wait_for

ENDS_WITHIN_S = 45.0
IS_READY = " ready."
"""Before that, TERM ends a worker that has no hand on it yet."""


def test_when_the_worker_is_replaced_under_load_then_nothing_waits_for_a_lease_and_each_effect_is_there_once(
    unmoved_clock: None, database_environment: dict[str, str], tmp_path: Path
) -> None:
    scene = Scene(12)
    with installation(tmp_path, environment=database_environment) as running, ThreadPoolExecutor(1) as pool:
        wait_for(lambda: running.times_said("worker", IS_READY) == 1, within_s=60)
        asking = pool.submit(closed_after(lambda: scene.ask_for_all(running.port)))
        ended = [running.replace("worker", within_s=ENDS_WITHIN_S)]
        asking.result()
        wait_for(lambda: running.times_said("worker", IS_READY) == 2, within_s=60)
        ended.append(running.replace("worker", within_s=ENDS_WITHIN_S))
        # No clock is moved here: what a worker had let go of would wait for its lease for minutes.
        wait_for(scene.is_done, within_s=60)

    assert ended == [0, 0]
    scene.require_each_effect_once()


def closed_after(work: Callable[[], None]) -> Callable[[], None]:
    """Do the work in a thread of its own, and leave no connection behind."""

    def done() -> None:
        try:
            work()
        finally:
            close_old_connections()

    return done

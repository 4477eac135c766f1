"""The whole of it: jobs are asked for while processes are killed, and each effect is there once in the end."""

import random
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from events import clock
from tests.workers.installation import installation
from tests.workers.jobs import Scene, wait_for

LEASES_OVER_AFTER = timedelta(minutes=30)
"""Longer than any lease, grace or pause between tries that a killed process leaves behind."""


def work_under_kills(
    folder: Path,
    *,
    environment: Mapping[str, str],
    jobs: int,
    rng: random.Random,
    every_s: tuple[float, float],
    has_broker: bool,
    least_kills: int,
    longest_s: float,
) -> list[str]:
    """Do `jobs` while programs are killed `every_s` seconds (from, to); tell which ones were.

    Kills go on until the last job has been begun, and at least `least_kills` times: who waits then for a call whose process
    died would wait as long as its sweeps are killed as well. Then time moves on past all leases, and the sweeps find what was lost.
    """
    scene = Scene(jobs)
    with installation(folder, environment=environment, has_broker=has_broker) as running:
        over = threading.Event()
        killer = threading.Thread(
            target=running.keep_killing, kwargs={"rng": rng, "every_s": every_s, "until": over}
        )
        killer.start()
        with ThreadPoolExecutor(1) as clients:
            asked = clients.submit(scene.ask_for_all, running.port)
            try:
                wait_for(
                    lambda: (asked.done() or scene.is_begun) and len(running.kills) >= least_kills,
                    within_s=longest_s,
                )
            finally:
                over.set()
                killer.join()
            asked.result()
        wait_until_done(scene, longest_s=longest_s)
    scene.require_each_effect_once()
    return running.kills


def wait_until_done(scene: Scene, *, longest_s: float) -> None:
    """Let the clock of these wallets run ahead, as often as something still waits for a lease."""
    ahead = 0

    def is_done() -> bool:
        nonlocal ahead
        if scene.is_done():
            return True
        ahead += 1
        if ahead % 10 == 1:
            for customer in scene.customers:
                at = clock.now_of(customer.wallet_id) + LEASES_OVER_AFTER
                clock.set_ahead(to=at, wallet_id=customer.wallet_id)
        return False

    wait_for(is_done, within_s=longest_s)

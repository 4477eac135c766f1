"""`make chaos-payments`: 2,000 top-ups in the storm, with dice that fall differently each time.

The seed is printed; CHAOS_SEED in the environment repeats the dice. pytest takes this file only when it is named.
"""

import os
import time

from tests.journeys.provider_chaos import require_to_the_cent, survive

TOP_UPS = int(os.environ.get("CHAOS_TOP_UPS") or 2000)


def test_when_two_thousand_are_topped_up_in_the_storm_then_charges_are_credits_to_the_cent(
    committed, settings, monkeypatch
):
    seed = int(os.environ.get("CHAOS_SEED") or time.time())
    print(f"\n{TOP_UPS} top-ups in the storm, CHAOS_SEED={seed} …", flush=True)

    outcome = survive(top_ups=TOP_UPS, seed=seed, settings=settings, patch=monkeypatch)

    print(
        f"answers {dict(outcome.answers)}, failures {dict(outcome.failures)}, told twice {outcome.duplicates}"
    )
    print(f"charged {sum(outcome.charged.values())}, credited {sum(outcome.credited.values())} cents")
    require_to_the_cent(outcome, top_ups=TOP_UPS)

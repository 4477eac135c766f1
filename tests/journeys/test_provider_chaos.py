"""The short form of `make chaos-payments`, in every test run."""

from tests.journeys.provider_chaos import require_to_the_cent, survive

TOP_UPS = 40


def test_when_the_provider_fails_by_chance_then_charges_are_credits_to_the_cent_after_one_sweep(
    committed, settings, monkeypatch
):
    outcome = survive(top_ups=TOP_UPS, seed=7, settings=settings, patch=monkeypatch)

    require_to_the_cent(outcome, top_ups=TOP_UPS)

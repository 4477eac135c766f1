"""A configuration that could charge nobody stops the boot, by the names of its variables."""

import pytest

from config.checks import check_providers

STRIPE, BASIS_THEORY = {"STRIPE_API_KEY": "sk_test_1"}, {"BASIS_THEORY_API_KEY": "key_1"}


@pytest.fixture(autouse=True)
def nothing_set(settings):
    settings.STRIPE_API_KEY = settings.BASIS_THEORY_API_KEY = ""


@pytest.mark.parametrize(
    ("vault", "processor", "keys"),
    [
        ("local", "sandbox", {}),
        ("local", "stripe", STRIPE),
        ("stripe", "stripe", STRIPE),
        ("basis_theory", "basis_theory_proxy", {**STRIPE, **BASIS_THEORY}),
    ],
)
def test_when_the_processor_can_charge_what_the_vault_keeps_then_nothing_is_found(
    settings, vault, processor, keys
):
    settings.TOKEN_VAULT, settings.PAYMENT_PROCESSOR = vault, processor
    for name, value in keys.items():
        setattr(settings, name, value)

    assert check_providers(None) == []


@pytest.mark.parametrize(
    ("vault", "processor", "keys", "found", "named"),
    [
        ("local", "stripe", {}, "config.E005", "STRIPE_API_KEY"),
        ("stripe", "sandbox", {}, "config.E005", "STRIPE_API_KEY"),
        ("basis_theory", "basis_theory_proxy", STRIPE, "config.E005", "BASIS_THEORY_API_KEY"),
        ("local", "nobody", {}, "config.E005", "PAYMENT_PROCESSOR"),
        ("local", "basis_theory_proxy", {**STRIPE, **BASIS_THEORY}, "config.E006", "TOKEN_VAULT local"),
        ("basis_theory", "stripe", {**STRIPE, **BASIS_THEORY}, "config.E006", "PAYMENT_PROCESSOR stripe"),
        ("stripe", "sandbox", STRIPE, "config.E006", "PAYMENT_PROCESSOR sandbox"),
    ],
)
def test_when_nobody_could_be_charged_then_the_check_names_what_is_wrong(
    settings, vault, processor, keys, found, named
):
    settings.TOKEN_VAULT, settings.PAYMENT_PROCESSOR = vault, processor
    for name, value in keys.items():
        setattr(settings, name, value)

    (error,) = check_providers(None)

    assert (error.id, named in error.msg) == (found, True)

"""What every vault does, one suite for all: an adapter adds a world to `VAULTS` and nothing else."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from tests.contracts import vault_worlds
from tests.contracts.vault_worlds import ON_DEVICE, World
from tokens.cards import Card
from tokens.providers import calls
from tokens.refusals import VaultFailed, VaultTimeout, VaultUnavailable
from tokens.vaults import provider_answers
from tokens.vaults.contract import CardStaysInVault, MobilePayload, VaultedInstrument
from tokens.vaults.registry import vault_of
from transactions.refusals import InvalidInput

NOW = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)
VISA = Card(number="4242424242424242", exp_month=12, exp_year=2030, holder="Alice Doe")
AMEX = Card(number="378282246310005", exp_month=1, exp_year=2031, holder="")

pytestmark = pytest.mark.django_db

REMOTE: list[Callable[..., Iterator[World]]] = [
    vault_worlds.basis_theory,
    vault_worlds.stripe,
    vault_worlds.documented,
]
VAULTS = [vault_worlds.local, *REMOTE]


@pytest.fixture(autouse=True)
def no_time_to_lose(monkeypatch):
    monkeypatch.setattr(calls, "_back_off_s", lambda attempt: 0.0)
    monkeypatch.setattr(provider_answers, "READ_S", 0.2)


@pytest.fixture(params=VAULTS, ids=lambda make: make.__name__)
def world(request, settings) -> Iterator[World]:
    yield from request.param(settings)


@pytest.fixture(params=REMOTE, ids=lambda make: make.__name__)
def remote(request, settings) -> Iterator[World]:
    yield from request.param(settings)


def stored(world: World, card: Card = VISA, *, token_id: UUID | None = None) -> VaultedInstrument:
    return world.vault.store_card(token_id=token_id or uuid7(), card=card, now=NOW)


def phone_stored(world: World, scheme: str, *, token_id: UUID | None = None) -> VaultedInstrument:
    payload = world.apple if scheme == "apple_pay" else world.google()
    return world.vault.store_mobile(token_id=token_id or uuid7(), payload=payload, now=NOW)


def test_when_the_registry_is_asked_then_the_vault_answers_to_its_name(world):
    assert type(vault_of(world.vault.name)) is type(world.vault)


@pytest.mark.parametrize(
    ("card", "facts"),
    [(VISA, ("visa", "4242", 12, 2030)), (AMEX, ("amex", "0005", 1, 2031))],
    ids=["visa", "amex"],
)
def test_when_a_card_is_stored_then_its_facts_come_back_and_the_number_does_not(world, card, facts):
    item = stored(world, card)

    assert (item.brand, item.last4, item.exp_month, item.exp_year) == facts
    assert item.ref != ""
    assert card.number not in f"{item!r} {item.ref} {item.fingerprint}"


def test_when_an_item_is_printed_then_its_reference_is_hidden(world):
    item = stored(world)

    assert item.ref not in repr(item)


@pytest.mark.parametrize("scheme", ["apple_pay", "google_pay"])
def test_when_a_phones_card_is_stored_then_its_facts_come_back_and_neither_number_nor_proof_do(world, scheme):
    before = world.kept()

    item = phone_stored(world, scheme)

    assert (item.brand, item.last4, item.exp_month, item.exp_year) == ("visa", "4242", 12, 2030)
    assert world.kept() == before + 1
    assert world.vault.is_usable(ref=item.ref) is True
    shown = f"{item!r} {item.ref} {item.fingerprint}"
    assert [secret for secret in (ON_DEVICE.number, ON_DEVICE.cryptogram) if secret in shown] == []


@pytest.mark.parametrize("kind", ["card", "apple_pay"])
def test_when_stored_twice_under_one_token_then_it_is_one_item(world, kind):
    token_id, before = uuid7(), world.kept()

    refs = {
        (
            stored(world, token_id=token_id)
            if kind == "card"
            else phone_stored(world, kind, token_id=token_id)
        ).ref
        for _ in range(2)
    }

    assert len(refs) == 1
    assert world.kept() == before + 1


@pytest.mark.parametrize("kind", ["card", "apple_pay"])
def test_when_an_item_is_there_then_it_is_usable_and_hands_out_the_card_or_never_does(world, kind):
    item = stored(world) if kind == "card" else phone_stored(world, kind)

    usable = world.vault.is_usable(ref=item.ref)
    try:
        number = world.vault.reveal_card(ref=item.ref).number
    except CardStaysInVault:
        number = VISA.number

    assert (usable, number) == (True, VISA.number)


def test_when_two_cards_are_stored_then_each_reference_finds_its_own(world):
    visa, amex = stored(world, VISA), stored(world, AMEX)

    world.vault.destroy(ref=visa.ref)

    assert visa.ref != amex.ref
    assert (world.vault.is_usable(ref=visa.ref), world.vault.is_usable(ref=amex.ref)) == (False, True)


@pytest.mark.parametrize("kind", ["card", "apple_pay", "google_pay"])
def test_when_an_item_is_destroyed_then_nothing_gives_it_back(world, kind):
    before = world.kept()
    item = stored(world) if kind == "card" else phone_stored(world, kind)

    world.vault.destroy(ref=item.ref)

    assert world.vault.is_usable(ref=item.ref) is False
    assert world.kept() == before
    with pytest.raises((LookupError, CardStaysInVault)):
        world.vault.reveal_card(ref=item.ref)


def test_when_an_item_is_destroyed_twice_then_the_second_is_no_error(world):
    item = stored(world)
    world.vault.destroy(ref=item.ref)

    world.vault.destroy(ref=item.ref)

    assert world.vault.is_usable(ref=item.ref) is False


def test_when_items_were_abandoned_then_only_the_old_ones_may_go(world):
    old, young = stored(world, VISA), stored(world, AMEX)

    gone = world.vault.discard_abandoned(created_before=NOW - timedelta(microseconds=1))

    assert gone == 0
    assert (world.vault.is_usable(ref=old.ref), world.vault.is_usable(ref=young.ref)) == (True, True)


@pytest.mark.parametrize("failure", ["timeout", "reset", "cut"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_when_an_answer_is_lost_then_the_card_is_stored_once_all_the_same(remote, failure, moment):
    remote.api.fail_next(f"{failure}_{moment}")

    item = stored(remote)

    assert remote.kept() == 1
    assert remote.vault.is_usable(ref=item.ref) is True


@pytest.mark.parametrize("failure", ["busy", "conflict"])
def test_when_the_provider_asks_to_come_again_then_the_card_is_stored_once(remote, failure):
    remote.api.fail_next(failure, failure)

    stored(remote)

    assert remote.kept() == 1


@pytest.mark.parametrize(
    ("failure", "refusal"),
    [
        ("timeout_before", VaultTimeout),
        ("reset_after", VaultTimeout),
        ("huge_after", VaultTimeout),
        ("drip_after", VaultTimeout),
        ("busy", VaultUnavailable),
        ("conflict", VaultUnavailable),
        ("error_before", VaultFailed),
        ("garbage", VaultFailed),
        ("redirect", VaultFailed),
    ],
)
def test_when_the_provider_stays_broken_then_the_refusal_says_how(remote, failure, refusal, monkeypatch):
    monkeypatch.setattr(provider_answers, "WITHIN_S", 0.7)
    remote.api.fail_next(*[failure] * 3)

    with pytest.raises(VaultFailed) as refused:
        stored(remote)

    assert type(refused.value) is refusal
    assert VISA.number not in f"{refused.value} {refused.value.__cause__!r}"


def test_when_the_provider_is_not_there_then_the_vault_is_unavailable(remote, settings, monkeypatch):
    settings.STRIPE_API_BASE = settings.BASIS_THEORY_API_BASE = "http://127.0.0.1:9"
    monkeypatch.setenv("COMPANY_VAULT_BASE", "http://127.0.0.1:9")

    with pytest.raises(VaultUnavailable):
        stored(remote)

    assert remote.api.received == []


def test_when_our_key_is_refused_then_the_vault_fails_and_it_is_an_alarm(remote, settings, monkeypatch):
    settings.STRIPE_API_KEY = settings.BASIS_THEORY_API_KEY = "sk_test_revoked"
    monkeypatch.setenv("COMPANY_VAULT_KEY", "sk_test_revoked")

    with capture_logs() as lines, pytest.raises(VaultFailed) as refused:
        stored(remote)

    assert type(refused.value) is VaultFailed
    assert [line["status"] for line in lines if line["event"] == "vault_refuses_our_key"] == [401]
    assert "sk_test_revoked" not in repr(lines)


def test_when_destroying_fails_then_it_is_told_and_works_later(remote):
    item = stored(remote)
    remote.api.fail_next("error_before", "error_before", "error_before")

    with pytest.raises(VaultFailed):
        remote.vault.destroy(ref=item.ref)

    assert remote.kept() == 1
    remote.vault.destroy(ref=item.ref)
    assert remote.kept() == 0


@pytest.mark.parametrize("failure", ["timeout_after", "reset_after", "error_after"])
def test_when_the_answer_to_destroying_is_lost_then_asking_again_finds_it_gone(remote, failure):
    item = stored(remote)
    remote.api.fail_next(failure)

    remote.vault.destroy(ref=item.ref)

    assert remote.kept() == 0


@pytest.mark.parametrize("failure", ["error_before", "garbage", "busy"])
def test_when_the_provider_can_not_be_asked_then_no_item_counts_as_gone(remote, failure):
    item = stored(remote)
    remote.api.fail_next(*[failure] * 3)

    with pytest.raises(VaultFailed):
        remote.vault.is_usable(ref=item.ref)

    remote.api.heal()
    assert remote.vault.is_usable(ref=item.ref) is True


def test_when_the_vault_finds_the_number_invalid_then_the_field_is_named_and_nothing_is_kept(remote):
    card = Card(number="4242424242424241", exp_month=12, exp_year=2030, holder="")

    with pytest.raises(InvalidInput) as refused:
        stored(remote, card)

    assert refused.value.field == "number"
    assert card.number not in str(refused.value)
    assert remote.kept() == 0


@pytest.mark.parametrize("scheme", ["apple_pay", "google_pay"])
@pytest.mark.parametrize("payment_data", [{}, {"paymentMethodData": {"tokenizationData": {"token": "{"}}}])
def test_when_the_vault_can_not_read_a_phones_token_then_it_says_so_and_keeps_nothing(
    remote, scheme, payment_data
):
    with pytest.raises(InvalidInput) as refused:
        remote.vault.store_mobile(token_id=uuid7(), payload=MobilePayload(scheme, payment_data), now=NOW)

    assert refused.value.field == "payment_data"
    assert remote.kept() == 0

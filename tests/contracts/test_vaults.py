"""What every vault does, one suite for all: an adapter adds a fixture to `VAULTS` and nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from tokens.cards import Card
from tokens.vaults.contract import CardStaysInVault, Vault, VaultedInstrument
from tokens.vaults.registry import vault_of

NOW = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)
VISA = Card(number="4242424242424242", exp_month=12, exp_year=2030, holder="Alice Doe")
AMEX = Card(number="378282246310005", exp_month=1, exp_year=2031, holder="")

pytestmark = pytest.mark.django_db


def local() -> Vault:
    return vault_of("local")


VAULTS: list[Callable[[], Vault]] = [local]


@pytest.fixture(params=VAULTS, ids=lambda make: make.__name__)
def vault(request) -> Vault:
    return request.param()


def stored(vault: Vault, card: Card, *, token_id: UUID | None = None) -> VaultedInstrument:
    return vault.store_card(token_id=token_id or uuid7(), card=card, now=NOW)


def test_when_the_registry_is_asked_then_the_vault_answers_to_its_name(vault):
    assert type(vault_of(vault.name)) is type(vault)


@pytest.mark.parametrize(
    ("card", "facts"),
    [(VISA, ("visa", "4242", 12, 2030)), (AMEX, ("amex", "0005", 1, 2031))],
    ids=["visa", "amex"],
)
def test_when_a_card_is_stored_then_its_facts_come_back_and_the_number_does_not(vault, card, facts):
    item = stored(vault, card)

    assert (item.brand, item.last4, item.exp_month, item.exp_year) == facts
    assert item.ref != ""
    assert card.number not in f"{item!r} {item.ref} {item.fingerprint}"


def test_when_an_item_is_printed_then_its_reference_is_hidden(vault):
    item = stored(vault, VISA)

    assert item.ref not in repr(item)


def test_when_stored_twice_under_one_token_then_it_is_one_item(vault):
    token_id = uuid7()

    refs = {stored(vault, VISA, token_id=token_id).ref for _ in range(2)}

    assert len(refs) == 1


def test_when_an_item_is_there_then_it_is_usable_and_hands_out_the_card_or_never_does(vault):
    item = stored(vault, VISA)

    usable = vault.is_usable(ref=item.ref)
    try:
        revealed = vault.reveal_card(ref=item.ref)
    except CardStaysInVault:
        revealed = VISA

    assert usable is True
    assert revealed == VISA


def test_when_two_cards_are_stored_then_each_reference_finds_its_own(vault):
    visa, amex = stored(vault, VISA), stored(vault, AMEX)

    vault.destroy(ref=visa.ref)

    assert visa.ref != amex.ref
    assert (vault.is_usable(ref=visa.ref), vault.is_usable(ref=amex.ref)) == (False, True)


def test_when_an_item_is_destroyed_then_nothing_gives_it_back(vault):
    item = stored(vault, VISA)

    vault.destroy(ref=item.ref)

    assert vault.is_usable(ref=item.ref) is False
    with pytest.raises((LookupError, CardStaysInVault)):
        vault.reveal_card(ref=item.ref)


def test_when_an_item_is_destroyed_twice_then_the_second_is_no_error(vault):
    item = stored(vault, VISA)
    vault.destroy(ref=item.ref)

    vault.destroy(ref=item.ref)

    assert vault.is_usable(ref=item.ref) is False


def test_when_items_were_abandoned_then_only_the_old_ones_may_go(vault):
    old, young = stored(vault, VISA), stored(vault, AMEX)

    gone = vault.discard_abandoned(created_before=NOW - timedelta(microseconds=1))

    assert gone == 0
    assert (vault.is_usable(ref=old.ref), vault.is_usable(ref=young.ref)) == (True, True)

"""Keys are rotated while real processes save, charge and delete cards: nobody notices, and nothing is lost."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.conf import settings as django_settings

from tests.factories.people import CustomerFactory
from tests.races.processes import race
from tokens.models import PaymentToken, VaultedCard
from tokens.outbound import card_for_charge
from tokens.rotation import rotate_column, sealed_columns
from tokens.tokenization import delete_token, tokenize_card, validate_token
from transactions.idempotency import Answer, KeyedCall

NEXT = ("next", b"N" * 32)
NUMBER = "4242424242424242"
SAVED_BEFORE = 40
ROUNDS = 12


def unkeyed() -> KeyedCall:
    return KeyedCall("system:test", "", b"", lambda token: Answer(200, str(token.id).encode()))


def saved(owner_id: UUID) -> UUID:
    answer = tokenize_card(
        owner_id=owner_id,
        number=NUMBER,
        exp_month=12,
        exp_year=2040,
        cvc="123",
        holder="Zacharias Quux",
        actor="system:test",
        call=unkeyed(),
    )
    return UUID(answer.body.decode())


def charged(token_id: UUID) -> Answer:
    assert card_for_charge(token_id=token_id, actor="system:test", reason="race").number == NUMBER
    return Answer(200, b"charged")


def with_ring(*ring: tuple[str, bytes]) -> Callable[[], Answer]:
    """Give the process another ring: its environment has been changed, and it was restarted."""

    def restart() -> Answer:
        django_settings.ENCRYPTION_KEYS = ring
        return Answer(200, b"restarted")

    return restart


def customers_calls(owner_id: UUID, old: list[UUID]) -> list[Callable[[], Answer]]:
    """Save, charge and delete a new card, and charge and validate one from before the rotation; again and again."""

    def one_round(token_id: UUID) -> Answer:
        new_id = saved(owner_id)
        charged(new_id)
        charged(token_id)
        validate_token(token_id=token_id, owner_id=None, actor="system:test", call=unkeyed())
        if token_id.int % 2:
            delete_token(token_id=new_id, owner_id=None, actor="system:test", call=unkeyed())
        return Answer(200, b"round")

    return [lambda token_id=token_id: one_round(token_id) for token_id in old]


def rotated() -> Answer:
    for model, column in sealed_columns():
        rotate_column(model=model, column=column, batch_size=7)
    return Answer(200, b"rotated")


@pytest.mark.usefixtures("committed")
def test_when_keys_are_rotated_under_load_then_no_call_fails_and_the_new_key_alone_opens_all(settings):
    before = settings.ENCRYPTION_KEYS
    owner = CustomerFactory()
    old = [saved(owner.id) for _ in range(SAVED_BEFORE)]
    customers = [
        # One that runs on with the first key in front seals under it until the end.
        [with_ring(*before, NEXT), *customers_calls(owner.id, old[:ROUNDS])],
        [with_ring(NEXT, *before), *customers_calls(owner.id, old[:ROUNDS])],
        [with_ring(NEXT, *before), *customers_calls(owner.id, old[-ROUNDS:])],
    ]
    rotation = [with_ring(NEXT, *before), *[rotated] * 4]
    try:
        outcomes = race([*customers, rotation])

        assert [outcome.refusals for outcome in outcomes] == [[]] * 4
        assert [len(outcome.answers) for outcome in outcomes] == [ROUNDS + 1] * 3 + [5]
        settings.ENCRYPTION_KEYS = (NEXT, *before)
        rotated()
        settings.ENCRYPTION_KEYS = (NEXT,)
        ids = list(
            PaymentToken.objects.filter(user=owner).exclude(status="deleted").values_list("id", flat=True)
        )
        assert len(ids) > SAVED_BEFORE
        assert {charged(token_id).body for token_id in ids} == {b"charged"}
        cards = VaultedCard.objects.filter(id__in=ids)
        assert {card.sealed.split(".")[1] for card in cards} == {"next"}
    finally:
        settings.ENCRYPTION_KEYS = (*before, NEXT)
        rotated()

"""One key, many calls at once: one token, one item in the vault, identical answers."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection
from uuid_utils.compat import uuid7

from tokens.models import PaymentToken, VaultedCard
from tokens.tokenization import tokenize_card
from transactions.idempotency import Answer, KeyedCall
from users.models import User

RACERS = 8


def test_when_calls_with_one_key_race_then_one_card_is_saved_and_all_get_its_answer(committed):
    owner = User.objects.create(email=f"{uuid7()}@saved.example", role="user")
    items_before = VaultedCard.objects.count()
    start = Barrier(RACERS)
    call = KeyedCall(
        principal=f"user:{owner.id}",
        key="card-1",
        fingerprint=b"request",
        render=lambda token: Answer(201, str(token.id).encode(), f"token:{token.id}"),
    )

    def save(_racer: int) -> Answer:
        try:
            start.wait(timeout=10)
            return tokenize_card(
                owner_id=owner.id,
                number="4242424242424242",
                exp_month=12,
                exp_year=2040,
                cvc="123",
                holder="",
                actor=call.principal,
                call=call,
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(RACERS) as racers:
        answers = list(racers.map(save, range(RACERS)))

    token = PaymentToken.objects.get(user=owner)
    assert {(answer.status, answer.body) for answer in answers} == {(201, str(token.id).encode())}
    assert [answer.replayed for answer in answers].count(False) == 1
    assert VaultedCard.objects.count() == items_before + 1
    assert VaultedCard.objects.filter(id=token.id).exists() is True

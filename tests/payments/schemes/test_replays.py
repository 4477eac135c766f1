"""A mobile wallet's token is used once: in order, by racers, and whatever becomes of the first one."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from uuid_utils.compat import uuid7

from payments.models import UsedPaymentToken
from payments.refusals import PaymentTokenUsed
from payments.schemes.registry import scheme_of
from payments.schemes.replays import claim

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


def use(replay_key: str, scheme: str = "apple_pay") -> None:
    claim(scheme=scheme, replay_key=replay_key, used_for=uuid7(), at=NOW)


@pytest.mark.django_db
def test_when_a_token_is_used_again_then_it_is_refused_and_the_first_use_stays() -> None:
    key = uuid7().hex
    session_id = uuid7()
    claim(scheme="apple_pay", replay_key=key, used_for=session_id, at=NOW)

    with pytest.raises(PaymentTokenUsed):
        use(key)

    rows = UsedPaymentToken.objects.filter(replay_key=key).values_list("scheme", "used_for", "used_at")
    assert list(rows) == [("apple_pay", session_id, NOW)]


@pytest.mark.django_db
def test_when_two_schemes_happen_on_one_key_then_both_are_used() -> None:
    key = uuid7().hex

    use(key, "apple_pay")
    use(key, "google_pay")

    assert UsedPaymentToken.objects.filter(replay_key=key).count() == 2


@pytest.mark.django_db
def test_when_the_payment_is_not_opened_then_the_token_is_free_again() -> None:
    key = uuid7().hex
    with transaction.atomic():
        use(key)
        transaction.set_rollback(True)

    use(key)

    assert UsedPaymentToken.objects.filter(replay_key=key).count() == 1


def test_when_eight_race_with_one_token_then_one_of_them_uses_it(committed: None) -> None:
    key = uuid7().hex
    line = threading.Barrier(8)
    outcomes: list[str] = []

    def racer() -> None:
        try:
            line.wait(5)
            with transaction.atomic():
                use(key)
            outcomes.append("used")
        except PaymentTokenUsed as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=racer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(outcomes) == ["payment_token_used"] * 7 + ["used"]
    assert UsedPaymentToken.objects.filter(replay_key=key).count() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.delete(),
        lambda rows: rows.update(replay_key="free again"),
        lambda rows: rows.update(used_at=NOW),
    ],
    ids=["delete", "rename", "touch"],
)
def test_when_the_tables_owner_forgets_a_use_then_the_database_refuses(as_owner: None, change: Any) -> None:
    key = uuid7().hex
    use(key)

    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        change(UsedPaymentToken.objects.filter(replay_key=key))

    assert UsedPaymentToken.objects.filter(replay_key=key).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("scheme", "key"), [("apple_pay", ""), ("", "some key")])
def test_when_a_token_has_no_key_or_no_scheme_then_the_database_refuses(scheme: str, key: str) -> None:
    with pytest.raises(DatabaseError, match="used_payment_token_has_a_key"), transaction.atomic():
        use(key, scheme)


@pytest.mark.parametrize("name", ["", "sandbox_phone", "contract", "apple_pay.scheme", "samsung_pay"])
def test_when_a_scheme_does_not_exist_then_it_is_not_looked_for(name: str) -> None:
    with pytest.raises(LookupError):
        scheme_of(name)

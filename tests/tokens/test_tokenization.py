"""Saving, validating and deleting cards as use cases, on real PostgreSQL."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from uuid_utils.compat import uuid7

from tests.tokens.conftest import NOW
from tokens.cards import checked_card
from tokens.models import PaymentToken, VaultedCard
from tokens.outbound import card_for_charge, reference_for_charge
from tokens.refusals import TokenDeleted, VaultUnavailable
from tokens.sweeping import sweep_vault
from tokens.tokenization import delete_token, tokenize_card, validate_token
from tokens.vault_items import destroy_vault_item
from tokens.vaults.contract import CardStaysInVault
from tokens.vaults.registry import vault_of
from transactions.idempotency import Answer, KeyedCall
from transactions.refusals import IdempotencyKeyReused, InvalidInput, NotFound

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

VISA = {
    "number": "4242424242424242",
    "exp_month": 12,
    "exp_year": 2030,
    "cvc": "987",
    "holder": "Zacharias Quux",
}
DECLINED = {**VISA, "number": "4000000000000002"}


def keyed(key: str = "", *, fingerprint: bytes = b"request") -> KeyedCall:
    return KeyedCall(
        principal="user:test",
        key=key,
        fingerprint=fingerprint,
        render=lambda token: Answer(200, str(token.id).encode(), f"token:{token.id}"),
    )


def saved(owner, card=VISA, **call) -> PaymentToken:
    answer = tokenize_card(owner_id=owner.id, actor="user:test", call=keyed(**call), **card)
    return PaymentToken.objects.get(id=answer.body.decode())


def rows() -> dict[str, int]:
    return {
        "tokens": PaymentToken.objects.count(),
        "items": VaultedCard.objects.count(),
        "events": count("events_outbox WHERE kind LIKE 'token.%%'"),
        "audit": count("events_auditentry WHERE object_type = 'token'"),
        "keys": count("transactions_idempotencykey"),
    }


def count(what: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {what}", ())
        return cursor.fetchone()[0]


def has_item(token: PaymentToken) -> bool:
    return VaultedCard.objects.filter(id=token.id).exists()


def audited(action: str, token: PaymentToken) -> list[tuple[str, str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT actor, from_state, to_state, reason FROM events_auditentry"
            " WHERE action = %s AND object_type = 'token' AND object_id = %s",
            (action, str(token.id)),
        )
        return cursor.fetchall()


def deletions(token: PaymentToken) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM events_outbox WHERE kind = 'token.deleted' AND payload->>'id' = %s",
            (str(token.id),),
        )
        return cursor.fetchone()[0]


def test_when_a_card_is_saved_then_token_item_event_and_audit_are_written(alice):
    before = rows()

    token = saved(alice)

    assert (token.user_id, token.type, token.brand, token.last4) == (alice.id, "card", "visa", "4242")
    assert (token.exp_month, token.exp_year, token.status, token.provider) == (12, 2030, "active", "local")
    assert (token.created_at, token.deleted_at, token.destroyed_at) == (NOW, None, None)
    assert len(token.fingerprint) == 32
    assert {name: after - before[name] for name, after in rows().items()} == {
        "tokens": 1,
        "items": 1,
        "events": 1,
        "audit": 1,
        "keys": 0,
    }


def test_when_a_card_is_saved_then_the_event_shows_the_token_and_its_owner(alice):
    token = saved(alice)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payload FROM events_outbox WHERE kind = 'token.created' AND payload->>'id' = %s",
            (str(token.id),),
        )
        payload = json.loads(cursor.fetchone()[0])
    assert payload == {
        "id": str(token.id),
        "type": "card",
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2030,
        "fingerprint": token.fingerprint,
        "status": "active",
        "provider": "local",
        "created_at": "2026-10-31T12:00:00.123456Z",
        "user_id": str(alice.id),
    }


def test_when_a_card_is_saved_then_no_table_holds_its_number_or_security_code(alice):
    saved(alice, key="k-1")

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(found, '') FROM ("
            " SELECT t::text AS found FROM tokens_paymenttoken t"
            " UNION ALL SELECT v::text FROM tokens_vaultedcard v"
            " UNION ALL SELECT f::text FROM tokens_fingerprintkey f"
            " UNION ALL SELECT o::text FROM events_outbox o"
            " UNION ALL SELECT a::text FROM events_auditentry a"
            " UNION ALL SELECT k::text || encode(k.body, 'escape') FROM transactions_idempotencykey k) all_rows"
        )
        dump = cursor.fetchone()[0]
    assert "4242" in dump
    assert "42424242" not in dump
    assert "Quux" not in dump
    assert '"987"' not in dump
    assert "cvc" not in dump


def test_when_the_same_card_is_saved_by_two_then_the_fingerprint_is_one_and_the_references_differ(alice, bob):
    first, second, other = saved(alice), saved(bob), saved(alice, DECLINED)

    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != other.fingerprint
    assert first.provider_ref_hmac != second.provider_ref_hmac


@pytest.mark.parametrize(
    ("field", "value"), [("number", "4242424242424241"), ("exp_year", 2020), ("cvc", "1")]
)
def test_when_the_card_breaks_a_rule_then_nothing_is_written(alice, field, value):
    before = rows()

    with pytest.raises(InvalidInput) as refused:
        tokenize_card(owner_id=alice.id, actor="user:test", call=keyed("k-1"), **{**VISA, field: value})

    assert refused.value.field == field
    assert rows() == before


def test_when_the_customer_does_not_exist_then_nothing_is_written(alice):
    before = rows()

    with pytest.raises(NotFound):
        tokenize_card(owner_id=uuid7(), actor="service:test", call=keyed("k-1"), **VISA)

    assert rows() == before


def test_when_the_key_is_used_again_then_the_first_answer_comes_back_and_nothing_is_written(alice):
    first = tokenize_card(owner_id=alice.id, actor="user:test", call=keyed("k-1"), **VISA)
    before = rows()

    second = tokenize_card(owner_id=alice.id, actor="user:test", call=keyed("k-1"), **VISA)

    assert (second.status, second.body, second.replayed) == (first.status, first.body, True)
    assert rows() == before


def test_when_the_key_belongs_to_another_request_then_it_is_refused_and_nothing_is_written(alice):
    saved(alice, key="k-1")
    before = rows()

    with pytest.raises(IdempotencyKeyReused):
        saved(alice, DECLINED, key="k-1", fingerprint=b"other")

    assert rows() == before


def test_when_another_call_with_the_key_was_first_then_the_item_of_the_second_is_destroyed(
    alice, monkeypatch
):
    first = saved(alice, key="k-1")
    before = rows()
    monkeypatch.setattr("tokens.tokenization.replay", lambda call: None)

    answer = tokenize_card(owner_id=alice.id, actor="user:test", call=keyed("k-1"), **VISA)

    assert (answer.replayed, answer.body) == (True, str(first.id).encode())
    assert rows() == before
    assert has_item(first) is True


def test_when_the_token_cannot_be_written_then_its_item_is_destroyed(alice, monkeypatch):
    def broken(*arguments: object, **named: object) -> None:
        raise RuntimeError("the outbox is gone")

    monkeypatch.setattr("tokens.tokenization.outbox.record", broken)
    before = rows()

    with pytest.raises(RuntimeError, match="the outbox is gone"):
        saved(alice)

    assert rows() == before


def test_when_the_vault_is_down_then_no_token_is_written(alice, remote_vault):
    remote_vault.is_down = True
    before = rows()

    with pytest.raises(VaultUnavailable):
        saved(alice)

    assert rows() == before


def test_when_the_month_ends_then_the_token_reads_expired_without_being_written(alice):
    token = saved(alice)

    states = [
        token.status_at(datetime(2030, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        token.status_at(datetime(2031, 1, 1, tzinfo=UTC)),
    ]

    assert states == ["active", "expired"]
    assert PaymentToken.objects.get(id=token.id).status == "active"


def test_when_a_good_token_is_validated_then_it_stays_active(alice):
    token = saved(alice)

    validate_token(token_id=token.id, owner_id=alice.id, actor="user:test", call=keyed())

    assert PaymentToken.objects.get(id=token.id).status == "active"
    assert audited("token.validated", token) == [("user:test", "active", "active", "")]


def test_when_the_vault_lost_the_item_then_validation_makes_the_token_expired(alice):
    token = saved(alice)
    VaultedCard.objects.filter(id=token.id).delete()

    validate_token(token_id=token.id, owner_id=alice.id, actor="user:test", call=keyed())

    assert PaymentToken.objects.get(id=token.id).status == "expired"
    assert audited("token.expired", token) == [("user:test", "active", "expired", "")]


def test_when_a_token_is_deleted_then_its_item_is_gone_and_its_row_stays(alice):
    token = saved(alice)

    delete_token(token_id=token.id, owner_id=alice.id, actor="user:test", call=keyed())

    token.refresh_from_db()
    assert (token.status, token.deleted_at, token.destroyed_at) == ("deleted", NOW, NOW)
    assert has_item(token) is False
    assert audited("token.deleted", token) == [("user:test", "active", "deleted", "")]
    assert deletions(token) == 1


@pytest.mark.parametrize("use", ["validate", "delete", "charge", "reference"])
def test_when_a_deleted_token_is_used_then_it_is_refused_and_nothing_moves(alice, use):
    token = saved(alice)
    delete_token(token_id=token.id, owner_id=alice.id, actor="user:test", call=keyed())
    before = rows()

    with pytest.raises(TokenDeleted):
        use_token(use, token.id, alice.id)

    assert rows() == before


@pytest.mark.parametrize("use", ["validate", "delete"])
def test_when_somebody_elses_token_is_used_then_it_is_not_found_and_nothing_moves(alice, bob, use):
    token = saved(alice)
    before = rows()

    with pytest.raises(NotFound):
        use_token(use, token.id, bob.id)

    assert rows() == before
    assert PaymentToken.objects.get(id=token.id).status == "active"


def use_token(use: str, token_id: UUID, owner_id: UUID) -> None:
    if use == "validate":
        validate_token(token_id=token_id, owner_id=owner_id, actor="user:test", call=keyed())
    elif use == "delete":
        delete_token(token_id=token_id, owner_id=owner_id, actor="user:test", call=keyed())
    elif use == "charge":
        card_for_charge(token_id=token_id, actor="user:test", reason="payment 1")
    else:
        reference_for_charge(token_id=token_id, actor="user:test", reason="payment 1")


def test_when_a_deletion_is_repeated_with_its_key_then_the_first_answer_comes_back(alice):
    token = saved(alice)
    first = delete_token(token_id=token.id, owner_id=alice.id, actor="user:test", call=keyed("k-2"))

    second = delete_token(token_id=token.id, owner_id=alice.id, actor="user:test", call=keyed("k-2"))

    assert (second.body, second.replayed) == (first.body, True)
    assert deletions(token) == 1


def test_when_the_vault_is_down_at_deletion_then_the_sweep_destroys_the_item_later(
    alice, remote_vault, clock
):
    sweep_vault()
    token = saved(alice)
    clock(NOW + timedelta(seconds=1))
    remote_vault.is_down = True
    delete_token(token_id=token.id, owner_id=alice.id, actor="user:test", call=keyed())

    swept_while_down = sweep_vault()
    remote_vault.is_down = False
    swept_afterwards = sweep_vault()

    token.refresh_from_db()
    assert (swept_while_down, swept_afterwards) == (0, 1)
    assert (token.status, remote_vault.items) == ("deleted", set())
    assert token.destroyed_at == NOW + timedelta(seconds=1)


def test_when_two_tokens_share_an_item_then_the_last_deletion_destroys_it(alice, bob, remote_vault):
    first, second = saved(alice), saved(bob)

    delete_token(token_id=first.id, owner_id=alice.id, actor="user:test", call=keyed())
    after_first = set(remote_vault.items)
    delete_token(token_id=second.id, owner_id=bob.id, actor="user:test", call=keyed())

    assert (after_first, remote_vault.items) == ({"tok_4242"}, set())


def test_when_a_second_token_of_a_shared_item_cannot_be_written_then_the_item_stays(
    alice, remote_vault, monkeypatch
):
    saved(alice)
    monkeypatch.setattr("tokens.tokenization.outbox.record", None)

    with pytest.raises(TypeError):
        saved(alice)

    assert remote_vault.items == {"tok_4242"}


def test_when_new_cards_go_elsewhere_then_older_tokens_are_found_in_their_own_vault(
    alice, remote_vault, settings
):
    settings.TOKEN_VAULT = "local"
    older = saved(alice)
    settings.TOKEN_VAULT = remote_vault.name
    newer = saved(alice, DECLINED)

    card = card_for_charge(token_id=older.id, actor="user:test", reason="payment 1")

    assert (older.provider, newer.provider) == ("local", remote_vault.name)
    assert card.number == "4242424242424242"
    with pytest.raises(CardStaysInVault):
        card_for_charge(token_id=newer.id, actor="user:test", reason="payment 2")
    assert reference_for_charge(token_id=newer.id, actor="user:test", reason="payment 2").ref == "tok_0002"


def test_when_an_item_was_abandoned_for_an_hour_then_the_sweep_discards_it(alice, clock):
    clock(NOW + timedelta(hours=2))
    sweep_vault()
    clock(NOW)
    kept = saved(alice)
    lost = PaymentToken(id=uuid7())
    vault_of("local").store_card(token_id=lost.id, card=checked_card(**DECLINED, now=NOW), now=NOW)

    clock(NOW + timedelta(hours=1))
    swept_at_an_hour = sweep_vault()
    clock(NOW + timedelta(hours=1, microseconds=1))
    swept_after_it = sweep_vault()

    assert (swept_at_an_hour, swept_after_it) == (0, 1)
    assert (has_item(kept), has_item(lost)) == (True, False)


def test_when_nothing_is_to_be_destroyed_then_destroying_is_done(alice):
    token = saved(alice)

    done = destroy_vault_item(token=token)

    assert done is True
    assert has_item(token) is True


def test_when_a_card_goes_out_then_its_number_is_hidden_in_print_and_the_access_is_on_record(alice):
    token = saved(alice)

    card = card_for_charge(token_id=token.id, actor="user:test", reason="payment 1")

    assert (card.number, card.exp_month, card.exp_year, card.holder) == (
        "4242424242424242",
        12,
        2030,
        "Zacharias Quux",
    )
    assert f"{card} {card!r}" == "CardForCharge(visa ending in 4242) CardForCharge(visa ending in 4242)"
    assert audited("token.revealed", token) == [("user:test", "", "", "payment 1")]


def test_when_the_vault_lost_the_card_then_it_cannot_go_out(alice):
    token = saved(alice)
    VaultedCard.objects.filter(id=token.id).delete()

    with pytest.raises(LookupError):
        card_for_charge(token_id=token.id, actor="user:test", reason="payment 1")

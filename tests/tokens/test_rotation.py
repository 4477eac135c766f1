"""`rotate_keys` with two rings: everything sealed anew, nothing lost, stopped and resumed, beside live traffic."""

from io import StringIO
from uuid import UUID

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection
from uuid_utils.compat import uuid7

from events.models import AuditEntry
from tests.tokens.conftest import NOW
from tokens.cards import Card
from tokens.fingerprints import ROW_ID, card_fingerprint, reference_digest
from tokens.models import FingerprintKey, PaymentToken, VaultedCard
from tokens.outbound import card_for_charge
from tokens.rotation import rotate_column, sealed_columns
from tokens.tokenization import tokenize_card
from tokens.vaults.registry import vault_of
from transactions.idempotency import Answer, KeyedCall
from users.sealing import SealBroken, seal

NEXT = ("next", b"N" * 32)
VISA = Card(number="4242424242424242", exp_month=12, exp_year=2030, holder="")


@pytest.fixture
def rings(settings):
    """The ring before, during and after a rotation."""
    before = settings.ENCRYPTION_KEYS
    return before, (NEXT, *before), (NEXT,)


def stored_cards(count: int) -> list[UUID]:
    ids = [uuid7() for _ in range(count)]
    for token_id in ids:
        vault_of("local").store_card(token_id=token_id, card=VISA, now=NOW)
    return ids


def keys_of(ids: list[UUID]) -> list[str]:
    rows = VaultedCard.objects.filter(id__in=ids).order_by("id")
    return [row.sealed.split(".")[1] for row in rows]


def rotate_cards(batch_size: int = 2):
    return rotate_column(model=VaultedCard, column="sealed", batch_size=batch_size)


@pytest.mark.django_db
def test_when_columns_are_listed_then_every_sealed_one_of_this_app_is_among_them():
    columns = sealed_columns()

    assert {(PaymentToken, "provider_ref"), (VaultedCard, "sealed"), (FingerprintKey, "sealed")} <= set(
        columns
    )


@pytest.mark.django_db
def test_when_all_is_rotated_then_the_new_key_alone_opens_it_and_fingerprints_stay(alice, settings, rings):
    answer = tokenize_card(
        owner_id=alice.id,
        number=VISA.number,
        exp_month=12,
        exp_year=2030,
        cvc="123",
        holder="",
        actor="user:test",
        call=KeyedCall("user:test", "", b"", lambda token: Answer(200, str(token.id).encode())),
    )
    token_id = UUID(answer.body.decode())
    before = PaymentToken.objects.get(id=token_id)
    out = StringIO()

    settings.ENCRYPTION_KEYS = rings[1]
    call_command("rotate_keys", stdout=out)
    settings.ENCRYPTION_KEYS = rings[2]

    after = PaymentToken.objects.get(id=token_id)
    assert "tokens_vaultedcard.sealed: " in out.getvalue()
    assert (before.provider_ref.split(".")[1], after.provider_ref.split(".")[1]) == (rings[0][0][0], "next")
    assert card_for_charge(token_id=token_id, actor="user:test", reason="").number == VISA.number
    assert card_fingerprint(number=VISA.number) == before.fingerprint == after.fingerprint
    assert reference_digest(provider="local", ref=str(token_id)) == before.provider_ref_hmac
    assert FingerprintKey.objects.get(id=ROW_ID).sealed.startswith("v1.next.")


@pytest.mark.django_db
def test_when_rotated_in_batches_then_each_row_is_sealed_anew_once(settings, rings):
    ids = stored_cards(5)
    settings.ENCRYPTION_KEYS = rings[1]
    others = VaultedCard.objects.exclude(id__in=ids).count()

    first, second = rotate_cards(), rotate_cards()

    assert (first.resealed - others, first.broken, first.remaining) == (5, (), 0)
    assert (second.resealed, second.broken, second.remaining) == (0, (), 0)
    assert keys_of(ids) == ["next"] * 5


@pytest.mark.django_db
def test_when_a_rotation_is_stopped_then_the_next_one_goes_on(settings, rings, monkeypatch):
    ids = stored_cards(5)
    settings.ENCRYPTION_KEYS = rings[1]
    seals = []

    def sealed_until_stopped(plaintext, **place):
        if len(seals) == 3:
            raise KeyboardInterrupt
        seals.append(place["row_id"])
        return seal(plaintext, **place)

    monkeypatch.setattr("tokens.rotation.seal", sealed_until_stopped)
    with pytest.raises(KeyboardInterrupt):
        rotate_cards()
    monkeypatch.undo()
    stopped_at = VaultedCard.objects.filter(sealed__startswith="v1.next.").count()
    rotate_cards()

    assert stopped_at == 2
    assert keys_of(ids) == ["next"] * 5


@pytest.mark.django_db
def test_when_no_key_opens_a_row_then_it_is_named_left_alone_and_the_command_fails(settings, rings):
    good, bad = stored_cards(2)
    moved = VaultedCard.objects.get(id=good).sealed
    VaultedCard.objects.filter(id=bad).update(sealed=moved)
    settings.ENCRYPTION_KEYS = rings[1]
    out, errors = StringIO(), StringIO()

    with pytest.raises(CommandError, match="1 values are still under another key"):
        call_command("rotate_keys", stdout=out, stderr=errors)

    assert errors.getvalue() == f"tokens_vaultedcard.sealed: no key opens row {bad}\n"
    assert VaultedCard.objects.get(id=bad).sealed == moved
    assert keys_of([good]) == ["next"]
    with pytest.raises(SealBroken):
        vault_of("local").reveal_card(ref=str(bad))


@pytest.mark.django_db
def test_when_the_batch_is_empty_then_the_command_is_refused():
    with pytest.raises(CommandError, match="--batch-size must be 1 or more"):
        call_command("rotate_keys", batch_size=0)


def test_when_a_row_is_locked_then_the_others_go_first_and_it_follows(
    committed, settings, rings, monkeypatch
):
    ids = stored_cards(3)
    settings.ENCRYPTION_KEYS = rings[1]
    locker = psycopg.connect(**connection.get_connection_params())
    locker.execute("SELECT 1 FROM tokens_vaultedcard WHERE id = %s FOR UPDATE", (ids[1],))
    seen_while_locked = []

    def release(seconds: float) -> None:
        seen_while_locked.append(keys_of(ids))
        locker.rollback()

    monkeypatch.setattr("tokens.rotation.time.sleep", release)
    try:
        done = rotate_cards()

        old = django_settings.ENCRYPTION_KEYS[1][0]
        assert seen_while_locked == [["next", old, "next"]]
        assert (done.broken, done.remaining) == ((), 0)
        assert keys_of(ids) == ["next"] * 3
    finally:
        locker.close()
        settings.ENCRYPTION_KEYS = (*rings[0], NEXT)
        rotate_cards()
        VaultedCard.objects.filter(id__in=ids).delete()


@pytest.mark.django_db
def test_when_a_column_is_rotated_then_the_audit_trail_tells(settings, rings):
    stored_cards(3)
    settings.ENCRYPTION_KEYS = rings[1]

    rotate_cards()

    entry = AuditEntry.objects.filter(action="keys.rotated").latest("id")
    assert (entry.actor, entry.object_id) == ("operator", "tokens_vaultedcard.sealed")
    assert (entry.after["key"], entry.after["remaining"]) == ("next", 0)
    assert entry.after["resealed"] >= 3

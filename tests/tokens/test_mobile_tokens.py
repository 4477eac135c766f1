"""Cards of phones: kept by the vault in use, written with the rest or not at all, charged with their proof once."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from tests.tokens.conftest import NOW
from tests.tokens.test_tokenization import VISA, audited, keyed, rows, saved
from tokens.consent import record_consent
from tokens.fingerprints import vault_fingerprint
from tokens.models import PaymentToken, VaultedCard
from tokens.outbound import card_for_charge, device_card_for_charge
from tokens.refusals import TokenDeleted, VaultUnavailable
from tokens.tokenization import delete_token, discard_kept, keep_mobile, tokenize_mobile, write_kept
from tokens.vaults.contract import DeviceCard, MobilePayload
from transactions.refusals import CurrencyMismatch, NotFound

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

ON_DEVICE = DeviceCard(
    number="4242424242424242", exp_month=12, exp_year=2030, cryptogram="AwAAAAEAQlkpcFaAcgRJgAA=", eci="07"
)
APPLE = MobilePayload(scheme="apple_pay", payment_data={"paymentData": {}}, device_card=ON_DEVICE)
ENCRYPTED = MobilePayload(scheme="google_pay", payment_data={"paymentMethodData": {}})


def kept_by_phone(owner, payload=APPLE, **named) -> PaymentToken:
    answer = tokenize_mobile(owner_id=owner.id, payload=payload, actor="user:test", call=keyed(), **named)
    return PaymentToken.objects.get(id=answer.body.decode())


def dumped() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(found, '') FROM ("
            " SELECT t::text AS found FROM tokens_paymenttoken t"
            " UNION ALL SELECT v::text FROM tokens_vaultedcard v"
            " UNION ALL SELECT o::text FROM events_outbox o"
            " UNION ALL SELECT a::text FROM events_auditentry a"
            " UNION ALL SELECT k::text || encode(k.body, 'escape') FROM transactions_idempotencykey k) all_rows"
        )
        return cursor.fetchone()[0]


def test_when_a_phones_card_is_saved_then_token_item_event_and_audit_are_written(alice):
    before = rows()

    token = kept_by_phone(alice)

    assert (token.user_id, token.type, token.brand, token.last4) == (alice.id, "apple_pay", "visa", "4242")
    assert (token.exp_month, token.exp_year, token.status, token.provider) == (12, 2030, "active", "local")
    assert (token.created_at, token.consent_at) == (NOW, None)
    assert {name: after - before[name] for name, after in rows().items()} == {
        "tokens": 1,
        "items": 1,
        "events": 1,
        "audit": 1,
        "keys": 0,
    }


def test_when_a_phones_card_is_saved_then_nothing_keeps_its_number_or_its_proof(alice):
    kept_by_phone(alice)

    dump = dumped()

    assert "apple_pay" in dump
    assert ON_DEVICE.number not in dump
    assert ON_DEVICE.cryptogram not in dump
    assert ON_DEVICE.number not in f"{ON_DEVICE!r} {APPLE!r}"
    assert ON_DEVICE.cryptogram not in f"{ON_DEVICE!r} {APPLE!r}"


def test_when_the_phone_and_the_form_give_one_number_then_its_fingerprint_is_one(alice):
    assert kept_by_phone(alice).fingerprint == saved(alice, VISA).fingerprint


def test_when_the_key_is_used_again_then_the_first_answer_comes_back_and_nothing_is_written(alice):
    first = tokenize_mobile(owner_id=alice.id, payload=APPLE, actor="user:test", call=keyed("k-1"))
    before = rows()

    second = tokenize_mobile(owner_id=alice.id, payload=APPLE, actor="user:test", call=keyed("k-1"))

    assert (second.body, second.replayed) == (first.body, True)
    assert rows() == before


def test_when_the_payload_was_used_before_then_neither_token_nor_item_stays(alice):
    before = rows()

    def used() -> None:
        raise CurrencyMismatch("This payment token was used before.")

    with pytest.raises(CurrencyMismatch):
        kept_by_phone(alice, claim=used)

    assert rows() == before


def test_when_there_is_no_such_customer_then_nothing_is_written():
    before = rows()

    with pytest.raises(NotFound):
        tokenize_mobile(owner_id=uuid7(), payload=APPLE, actor="service:test", call=keyed("k-1"))

    assert rows() == before


def test_when_nothing_was_decrypted_then_the_local_vault_keeps_nothing(alice):
    before = rows()

    with pytest.raises(ValueError, match="keeps what was decrypted"):
        kept_by_phone(alice, ENCRYPTED)

    assert rows() == before


def test_when_a_kept_token_is_written_with_the_rest_then_it_is_a_token_like_any(alice):
    token = keep_mobile(owner_id=alice.id, payload=APPLE)
    unwritten = PaymentToken.objects.filter(id=token.id).exists()

    with transaction.atomic():
        write_kept(token, actor="user:test")

    assert unwritten is False
    assert (
        card_for_charge(token_id=token.id, actor="user:test", reason="payment 1").number == ON_DEVICE.number
    )
    assert audited("token.created", token) == [("user:test", "", "active", "")]


def test_when_the_rest_failed_then_a_discarded_token_leaves_no_item(alice):
    before = rows()
    token = keep_mobile(owner_id=alice.id, payload=APPLE)

    discard_kept(token)

    assert rows() == before
    assert VaultedCard.objects.filter(id=token.id).count() == 0


def test_when_the_token_was_written_after_all_then_discarding_leaves_its_item(alice):
    token = keep_mobile(owner_id=alice.id, payload=APPLE)
    write_kept(token, actor="user:test")

    discard_kept(token)

    assert VaultedCard.objects.filter(id=token.id).count() == 1


def test_when_the_phones_card_is_charged_at_once_then_its_proof_goes_along_and_it_is_on_record(alice):
    token = kept_by_phone(alice)

    card = device_card_for_charge(token=token, card=ON_DEVICE, actor="user:test", reason="payment 1")

    assert (card.token_id, card.scheme, card.number) == (token.id, "apple_pay", ON_DEVICE.number)
    assert (card.cryptogram, card.eci) == (ON_DEVICE.cryptogram, "07")
    assert ON_DEVICE.number not in repr(card)
    assert ON_DEVICE.cryptogram not in repr(card)
    assert audited("token.revealed", token) == [("user:test", "", "", "payment 1")]


def test_when_the_phones_card_is_charged_later_then_it_goes_without_a_proof(alice):
    token = kept_by_phone(alice)

    card = card_for_charge(token_id=token.id, actor="system", reason="payment 2")

    assert (card.number, card.scheme) == (ON_DEVICE.number, "apple_pay")
    assert (card.cryptogram, card.eci) == ("", "")


def test_when_a_typed_card_is_charged_then_it_names_no_scheme(alice):
    card = card_for_charge(token_id=saved(alice).id, actor="system", reason="payment 2")

    assert (card.scheme, card.cryptogram, card.eci) == ("", "", "")


def test_when_the_vault_opens_the_payload_itself_then_its_own_fingerprint_counts(alice, remote_vault):
    token = kept_by_phone(alice, ENCRYPTED)

    assert (token.type, token.provider) == ("google_pay", remote_vault.name)
    assert token.fingerprint == vault_fingerprint(provider=remote_vault.name, fingerprint="seen by the vault")
    assert remote_vault.items == {f"google_pay_{token.id}"}


def test_when_the_vault_is_down_then_nothing_is_written(alice, remote_vault):
    before = rows()
    remote_vault.is_down = True

    with pytest.raises(VaultUnavailable):
        kept_by_phone(alice, ENCRYPTED)

    assert rows() == before


def test_when_consent_is_given_then_its_words_and_time_are_kept_and_on_record(alice, clock):
    token = kept_by_phone(alice)
    clock(NOW + timedelta(hours=1))

    record_consent(token_id=token.id, owner_id=alice.id, text="You may top me up.", actor="user:test")

    token.refresh_from_db()
    assert (token.consent_text, token.consent_at) == ("You may top me up.", NOW + timedelta(hours=1))
    assert audited("token.consented", token) == [("user:test", "", "", "")]


@pytest.mark.parametrize(("text", "refused"), [("", ValueError), ("Yes.", NotFound)])
def test_when_nothing_was_agreed_to_or_by_another_then_no_consent_is_kept(alice, bob, text, refused):
    token = kept_by_phone(alice)

    with pytest.raises(refused):
        record_consent(token_id=token.id, owner_id=bob.id if text else alice.id, text=text, actor="user:test")

    token.refresh_from_db()
    assert (token.consent_text, token.consent_at) == (None, None)


def test_when_the_token_is_deleted_then_no_consent_is_taken(alice):
    token = kept_by_phone(alice)
    delete_token(token_id=token.id, owner_id=alice.id, actor="user:test", call=keyed())

    with pytest.raises(TokenDeleted):
        record_consent(token_id=token.id, owner_id=alice.id, text="Yes.", actor="user:test")

    assert audited("token.consented", token) == []

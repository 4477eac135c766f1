"""The tables say no, whoever asks: each check and each grant under attack, as the application's role."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from uuid_utils.compat import uuid7

from tests.tokens.conftest import NOW
from tests.tokens.test_admin import token_of
from tokens.models import FingerprintKey, PaymentToken, VaultedCard

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("constraint", "facts"),
    [
        ("token_type_is_known", {"type": "cash"}),
        ("token_status_is_known", {"status": "lost"}),
        ("token_last4_is_4_digits", {"last4": "424"}),
        ("token_last4_is_4_digits", {"last4": "42a2"}),
        ("token_exp_month_exists", {"exp_month": 0}),
        ("token_exp_month_exists", {"exp_month": 13}),
        ("token_exp_year_has_4_digits", {"exp_year": 30}),
        ("token_has_fingerprint", {"fingerprint": ""}),
        ("token_ref_is_sealed", {"provider_ref": "tok_1234"}),
        ("token_deleted_at_a_time", {"status": "deleted"}),
        ("token_deleted_at_a_time", {"deleted_at": NOW}),
        ("token_deleted_at_a_time", {"destroyed_at": NOW}),
        ("token_consent_has_a_time", {"consent_text": "yes"}),
        ("token_consent_has_a_time", {"consent_at": NOW}),
    ],
)
def test_when_a_token_makes_no_sense_then_the_table_refuses_it(alice, constraint, facts):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        token_of(alice, **facts)

    assert PaymentToken.objects.filter(user=alice).count() == 0


def test_when_a_number_is_put_into_the_vault_unsealed_then_the_table_refuses_it():
    token_id = uuid7()

    with pytest.raises(IntegrityError, match="vaulted_card_is_sealed"), transaction.atomic():
        VaultedCard.objects.create(id=token_id, sealed="4242424242424242", created_at=NOW)

    assert VaultedCard.objects.filter(id=token_id).exists() is False


@pytest.mark.parametrize(
    ("constraint", "facts"),
    [
        ("fingerprint_key_is_one_row", {"id": "00000000-0000-0000-0000-000000000002", "sealed": "v1.a.b.c"}),
        ("fingerprint_key_is_sealed", {"id": "00000000-0000-0000-0000-000000000001", "sealed": "key"}),
    ],
)
def test_when_a_second_or_an_unsealed_fingerprint_key_is_written_then_the_table_refuses_it(constraint, facts):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        FingerprintKey.objects.create(**facts, created_at=NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tokens_paymenttoken",
        "TRUNCATE tokens_paymenttoken",
        "UPDATE tokens_paymenttoken SET user_id = user_id",
        "UPDATE tokens_paymenttoken SET fingerprint = 'x'",
        "TRUNCATE tokens_vaultedcard",
        "UPDATE tokens_vaultedcard SET id = id",
        "DELETE FROM tokens_fingerprintkey",
        "UPDATE tokens_fingerprintkey SET created_at = created_at",
        "ALTER TABLE tokens_vaultedcard DROP CONSTRAINT vaulted_card_is_sealed",
    ],
)
def test_when_the_application_oversteps_its_grants_then_the_database_refuses(statement):
    with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
        executed(statement)


def executed(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "index",
    [
        (
            "tokens_paymenttoken",
            "token_by_user",
            "user_id, id DESC) WHERE (NOT ((status)::text = 'deleted'::text))",
        ),
        ("tokens_paymenttoken", "token_by_provider_ref", "provider, provider_ref_hmac)"),
        ("tokens_paymenttoken", "token_by_fingerprint", "(fingerprint)"),
        ("tokens_paymenttoken", "token_to_destroy", "destroyed_at IS NULL"),
        ("tokens_vaultedcard", "vaulted_card_by_age", "(created_at)"),
    ],
    ids=lambda index: index[1],
)
def test_when_the_tables_are_made_then_the_index_is_there(index):
    table, name, definition = index

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND indexname = %s", (table, name)
        )
        found = cursor.fetchall()

    assert len(found) == 1
    assert definition in found[0][0]

"""What is particular to Basis Theory: its headers, shared items, plain numbers from Google, and a key too mighty."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid5

import pytest
from django.core.exceptions import ImproperlyConfigured
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from events.context import RequestContext, request_context
from tests.contracts import vault_worlds
from tests.contracts.fake_basis_theory import KEY, PAN_ONLY, FakeBasisTheory
from tests.contracts.vault_worlds import EC_V1, ecv2
from tests.tokens.test_tokenization import keyed, saved
from tokens.cards import Card
from tokens.models import PaymentToken
from tokens.providers import calls
from tokens.providers.basis_theory import BasisTheoryReference
from tokens.refusals import VaultFailed
from tokens.sweeping import sweep_vault
from tokens.tokenization import delete_token, tokenize_mobile
from tokens.vaults.contract import MobilePayload, Vault
from tokens.vaults.registry import vault_in_use

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)
VISA = Card(number="4242424242424242", exp_month=12, exp_year=2030, holder="Alice Doe")
PLAIN = MobilePayload("google_pay", ecv2(PAN_ONLY))


@pytest.fixture
def books(settings, monkeypatch) -> Iterator[FakeBasisTheory]:
    settings.TOKEN_VAULT = "basis_theory"
    monkeypatch.setattr(calls, "_back_off_s", lambda attempt: 0.0)
    for world in vault_worlds.basis_theory(settings):
        assert isinstance(world.api, FakeBasisTheory)
        yield world.api


@pytest.fixture
def vault(books) -> Vault:
    return vault_in_use()


def delete(token: PaymentToken) -> None:
    delete_token(token_id=token.id, owner_id=token.user_id, actor="user:test", call=keyed())


def test_when_a_card_is_stored_then_the_request_is_as_documented(vault, books):
    token_id = uuid7()

    with request_context(RequestContext(request_id="order-4711")):
        vault.store_card(token_id=token_id, card=VISA, now=NOW)

    (request,) = books.asked("POST", "/tokens")
    assert request.headers["bt-api-key"] == KEY
    assert request.headers["bt-trace-id"] == "order-4711"
    assert request.headers["bt-idempotency-key"] == str(token_id)
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "type": "card",
        "data": {"number": VISA.number, "expiration_month": 12, "expiration_year": 2030},
        "metadata": {"token_id": str(token_id)},
        "deduplicate_token": False,
    }


def test_when_nobody_asked_then_each_call_still_has_a_trace(vault, books):
    vault.store_card(token_id=uuid7(), card=VISA, now=NOW)

    assert len(books.received[0].headers["bt-trace-id"]) == 36


def test_when_apples_token_is_stored_then_it_goes_on_unchanged_and_its_end_is_the_cards(vault, books):
    item = vault.store_mobile(token_id=uuid7(), payload=MobilePayload("apple_pay", EC_V1), now=NOW)

    (request,) = books.asked("POST", "/apple-pay")
    assert json.loads(request.body) == {"apple_payment_data": EC_V1}
    assert item.ref.startswith("apple_pay:")
    assert (item.exp_month, item.exp_year) == (12, 2030)


def test_when_googles_token_is_stored_then_its_string_is_parsed_once(vault, books):
    item = vault.store_mobile(token_id=uuid7(), payload=MobilePayload("google_pay", ecv2()), now=NOW)

    (request,) = books.asked("POST", "/google-pay")
    assert json.loads(request.body)["google_payment_data"]["protocolVersion"] == "ECv2"
    assert item.ref.startswith("google_pay:")


def test_when_google_gives_a_plain_number_then_its_intent_becomes_a_token_before_it_dies(vault, books):
    token_id = uuid7()

    item = vault.store_mobile(token_id=token_id, payload=PLAIN, now=NOW)

    assert (item.brand, item.last4, item.exp_month, item.exp_year) == ("visa", "4242", 12, 2030)
    assert item.ref == f"token:{next(iter(books.items))}"
    assert books.intents == {}
    (converting,) = books.asked("POST", "/tokens")
    assert converting.headers["bt-idempotency-key"] == str(uuid5(token_id, "convert"))


@pytest.mark.parametrize("failure", ["timeout_after", "reset_after", "error_before"])
def test_when_the_answer_to_a_conversion_is_lost_then_it_is_one_token(vault, books, failure):
    books.fail_next("", failure)

    item = vault.store_mobile(token_id=uuid7(), payload=PLAIN, now=NOW)

    assert [f"token:{kept}" for kept in books.items] == [item.ref]


def test_when_a_conversion_says_little_then_the_token_is_read(vault, books):
    books.says_little = True

    item = vault.store_mobile(token_id=uuid7(), payload=PLAIN, now=NOW)

    assert (item.brand, item.last4, item.exp_month, item.exp_year) == ("visa", "4242", 12, 2030)


def test_when_the_tenant_recognises_cards_then_two_share_an_item_which_goes_with_the_last(
    books, alice, bob, clock
):
    books.recognises_cards = True
    first, second = saved(alice), saved(bob)

    delete(first)
    kept = len(books.items)
    delete(second)

    assert first.provider_ref_hmac == second.provider_ref_hmac
    assert first.fingerprint == second.fingerprint
    assert (kept, len(books.items)) == (1, 0)


def test_when_the_vault_was_down_then_the_sweep_deletes_the_item(books, alice, clock):
    token = saved(alice)
    clock(NOW + timedelta(seconds=1))
    books.fail_next("error_before", "error_before", "error_before")
    delete(token)
    kept = len(books.items)

    swept = sweep_vault()

    assert (kept, swept, len(books.items)) == (1, 1, 0)


def test_when_a_phone_is_saved_then_the_vaults_fingerprint_knows_the_same_card_again(
    books, alice, bob, clock
):
    tokens = []
    for owner in (alice, bob):
        answer = tokenize_mobile(owner_id=owner.id, payload=PLAIN, actor="user:test", call=keyed())
        tokens.append(PaymentToken.objects.get(id=answer.body.decode()))

    assert tokens[0].fingerprint == tokens[1].fingerprint
    assert tokens[0].provider_ref_hmac != tokens[1].provider_ref_hmac
    assert [f"token:{kept}" in tokens[0].provider_ref for kept in books.items] == [False, False]


def test_when_a_merchant_token_was_unlinked_then_it_is_not_usable(vault, books):
    item = vault.store_mobile(token_id=uuid7(), payload=MobilePayload("apple_pay", EC_V1), now=NOW)

    books.items[BasisTheoryReference.read(item.ref).id]["status"] = "unlinked"

    assert vault.is_usable(ref=item.ref) is False


def test_when_a_permission_is_missing_then_the_vault_fails(vault, books):
    books.permissions.discard("token:create")

    with pytest.raises(VaultFailed) as refused:
        vault.store_card(token_id=uuid7(), card=VISA, now=NOW)

    assert refused.value.code == "provider_error"
    assert books.items == {}


def test_when_our_key_may_reveal_numbers_then_it_is_an_alarm(vault, books):
    item = vault.store_card(token_id=uuid7(), card=VISA, now=NOW)
    books.reveals_numbers = True

    with capture_logs() as lines:
        usable = vault.is_usable(ref=item.ref)

    assert usable is True
    assert "vault_key_may_reveal_numbers" in [line["event"] for line in lines]
    assert VISA.number not in repr(lines)


@pytest.mark.parametrize("item_id", ["", "../tokens", "{{ token }}", 7])
def test_when_an_id_is_unfit_for_paths_and_expressions_then_it_is_refused(vault, books, monkeypatch, item_id):
    monkeypatch.setattr(books, "create_token", lambda asked: {"id": item_id})

    with pytest.raises(VaultFailed):
        vault.store_card(token_id=uuid7(), card=VISA, now=NOW)


@pytest.mark.parametrize(
    "item", [{}, {"apple_pay": {"id": "a", "card": {"last4": "4242"}}}, {"apple_pay": []}]
)
def test_when_an_item_says_too_little_then_no_token_is_made_of_it(vault, books, monkeypatch, item):
    monkeypatch.setattr(books, "create_apple_pay", lambda asked: item)

    with pytest.raises(VaultFailed):
        vault.store_mobile(token_id=uuid7(), payload=MobilePayload("apple_pay", EC_V1), now=NOW)


def test_when_there_is_no_key_then_the_boot_stops_and_names_the_variable(settings):
    settings.TOKEN_VAULT, settings.BASIS_THEORY_API_KEY = "basis_theory", ""

    with pytest.raises(ImproperlyConfigured, match=r"^BASIS_THEORY_API_KEY is not set: "):
        vault_in_use()


@pytest.mark.parametrize("ref", ["", "token", "card:1", "cus_1/pm_1"])
def test_when_a_reference_is_of_another_vault_then_it_is_refused(ref):
    with pytest.raises(ValueError, match="not one of Basis Theory"):
        BasisTheoryReference.read(ref)

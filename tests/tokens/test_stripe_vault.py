"""What is particular to Stripe: its form, keys kept for each step, setup for later charges, phones' tokens."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.core.exceptions import ImproperlyConfigured
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from tests.contracts import vault_worlds
from tests.contracts.fake_stripe import KEY, VERSION, FakeStripe, decoded
from tests.contracts.vault_worlds import EC_V1, google_pay_data
from tests.tokens.test_tokenization import keyed, saved
from tokens.cards import Card
from tokens.models import PaymentToken
from tokens.outbound import reference_for_charge
from tokens.providers import calls
from tokens.providers.stripe import StripeReference
from tokens.refusals import VaultFailed
from tokens.tokenization import delete_token
from tokens.vaults.contract import MobilePayload, Vault
from tokens.vaults.registry import vault_in_use
from transactions.refusals import InvalidInput

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)
APPLE = MobilePayload("apple_pay", EC_V1)


@pytest.fixture
def books(settings, monkeypatch) -> Iterator[FakeStripe]:
    settings.TOKEN_VAULT = "stripe"
    monkeypatch.setattr(calls, "_back_off_s", lambda attempt: 0.0)
    for world in vault_worlds.stripe(settings):
        assert isinstance(world.api, FakeStripe)
        yield world.api


@pytest.fixture
def vault(books) -> Vault:
    return vault_in_use()


def card(number: str = "4242424242424242") -> Card:
    return Card(number=number, exp_month=12, exp_year=2030, holder="")


def customers(books: FakeStripe) -> list[str]:
    return [
        known["id"]
        for known in books.objects.values()
        if known["object"] == "customer" and not known.get("deleted")
    ]


def test_when_a_card_is_stored_then_every_request_has_key_version_and_its_own_idempotency_key(vault, books):
    token_id = uuid7()

    item = vault.store_card(token_id=token_id, card=card(), now=NOW)

    reference = StripeReference.read(item.ref)
    assert {request.headers["authorization"] for request in books.received} == {f"Bearer {KEY}"}
    assert {request.headers["stripe-version"] for request in books.received} == {VERSION}
    assert [(request.path, request.headers["idempotency-key"]) for request in books.received] == [
        ("/v1/payment_methods", f"{token_id}-payment-method"),
        ("/v1/customers", f"{token_id}-customer"),
        ("/v1/setup_intents", f"{token_id}-setup"),
    ]
    assert [decoded(request.body.decode()) for request in books.received] == [
        {
            "type": "card",
            "card": {"number": "4242424242424242", "exp_month": "12", "exp_year": "2030"},
            "metadata": {"token_id": str(token_id)},
        },
        {"metadata": {"token_id": str(token_id)}},
        {
            "customer": reference.customer,
            "payment_method": reference.payment_method,
            "payment_method_types": {"0": "card"},
            "usage": "off_session",
            "confirm": "true",
        },
    ]
    assert books.objects[reference.payment_method]["is_set_up"] is True


def test_when_the_bank_wants_the_customer_first_then_the_card_is_attached_but_not_set_up(vault, books):
    with capture_logs() as lines:
        item = vault.store_card(token_id=uuid7(), card=card("4000002500003155"), now=NOW)

    kept = books.objects[StripeReference.read(item.ref).payment_method]
    assert (kept["customer"], kept.get("is_set_up")) == (StripeReference.read(item.ref).customer, None)
    assert "card_not_set_up" in [line["event"] for line in lines]
    assert "seti_secret" not in repr(lines)


@pytest.mark.parametrize("number", ["4000000000000002", "4000000000009995"])
def test_when_the_bank_refuses_the_card_then_no_customer_stays_behind(vault, books, number):
    with pytest.raises(InvalidInput) as refused:
        vault.store_card(token_id=uuid7(), card=card(number), now=NOW)

    assert refused.value.field == "number"
    assert number not in str(refused.value)
    assert customers(books) == []


def test_when_setting_up_breaks_then_no_customer_stays_behind(vault, books):
    books.fail_next("", "", "error_before", "error_before", "error_before")

    with pytest.raises(VaultFailed):
        vault.store_card(token_id=uuid7(), card=card(), now=NOW)

    assert customers(books) == []


def test_when_stripe_has_kept_a_500_then_the_same_key_gives_it_again_and_a_new_token_works(vault, books):
    token_id = uuid7()
    books.fail_next("error_before")
    for _ in range(2):
        with pytest.raises(VaultFailed):
            vault.store_card(token_id=token_id, card=card(), now=NOW)

    item = vault.store_card(token_id=uuid7(), card=card(), now=NOW)

    assert vault.is_usable(ref=item.ref) is True


def test_when_apples_token_is_stored_then_stripe_opens_it_and_its_first_charge_does_the_setting_up(
    vault, books
):
    token_id = uuid7()

    item = vault.store_mobile(token_id=token_id, payload=APPLE, now=NOW)

    opened = decoded(books.asked("POST", "/v1/tokens")[0].body.decode())
    assert opened["pk_token_instrument_name"] == "Visa 4242"
    assert opened["pk_token_payment_network"] == "Visa"
    assert opened["pk_token_transaction_id"] == "AB"
    assert '"version":"EC_v1"' in opened["pk_token"]
    kept = books.objects[StripeReference.read(item.ref).payment_method]
    assert (kept["card"]["wallet"], kept.get("is_set_up")) == ({"type": "apple_pay"}, None)
    assert books.asked("POST", "/v1/setup_intents") == []


def test_when_googles_token_is_stored_then_the_one_inside_is_used_once(vault, books):
    payload = MobilePayload("google_pay", google_pay_data({"id": books.google_pay_token()}))
    vault.store_mobile(token_id=uuid7(), payload=payload, now=NOW)

    with pytest.raises(InvalidInput) as refused:
        vault.store_mobile(token_id=uuid7(), payload=payload, now=NOW)

    assert refused.value.field == "payment_data"
    assert len(customers(books)) == 1


@pytest.mark.parametrize("token", [{}, {"id": ""}, {"id": "tok/../x"}, {"id": ["tok_1"]}])
def test_when_there_is_no_token_of_stripe_then_nothing_is_asked(vault, books, token):
    with pytest.raises(InvalidInput) as refused:
        vault.store_mobile(
            token_id=uuid7(), payload=MobilePayload("google_pay", google_pay_data(token)), now=NOW
        )

    assert refused.value.field == "payment_data"
    assert books.received == []


def test_when_the_phones_card_is_refused_then_no_customer_stays_behind(vault, books):
    payload = MobilePayload("google_pay", google_pay_data({"id": books.google_pay_token("4000000000000002")}))

    with pytest.raises(InvalidInput):
        vault.store_mobile(token_id=uuid7(), payload=payload, now=NOW)

    assert customers(books) == []


def test_when_the_card_was_detached_elsewhere_then_it_is_not_usable(vault, books):
    item = vault.store_card(token_id=uuid7(), card=card(), now=NOW)

    books.objects[StripeReference.read(item.ref).payment_method]["customer"] = None

    assert vault.is_usable(ref=item.ref) is False


def test_when_a_saved_card_is_deleted_then_its_customer_is_too(books, alice, clock):
    token = saved(alice)

    delete_token(token_id=token.id, owner_id=alice.id, actor="user:test", call=keyed())

    assert customers(books) == []
    assert PaymentToken.objects.get(id=token.id).destroyed_at is not None


def test_when_a_saved_card_is_charged_then_the_processor_is_told_customer_and_payment_method(
    books, alice, clock
):
    source = reference_for_charge(token_id=saved(alice).id, actor="system", reason="payment 1")

    reference = StripeReference.read(source.ref)
    assert source.provider == "stripe"
    assert books.objects[reference.payment_method]["customer"] == reference.customer


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"last4": "42", "exp_month": 12, "exp_year": 2030},
        {"last4": "4242", "exp_month": "12", "exp_year": 2030},
    ],
)
def test_when_a_payment_method_says_too_little_then_no_token_is_made_of_it(vault, books, monkeypatch, told):
    made = books.create_payment_method

    def little(params):
        return {**made(params), "card": told}

    monkeypatch.setattr(books, "create_payment_method", little)

    with pytest.raises(VaultFailed):
        vault.store_mobile(token_id=uuid7(), payload=APPLE, now=NOW)


def test_when_there_is_no_key_then_the_boot_stops_and_names_the_variable(settings):
    settings.TOKEN_VAULT, settings.STRIPE_API_KEY = "stripe", ""

    with pytest.raises(ImproperlyConfigured, match=r"^STRIPE_API_KEY is not set: "):
        vault_in_use()

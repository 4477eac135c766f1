"""What the phones are asked, to the letter of Apple's and Google's clients."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from payments.models import PaymentSession
from payments.payment_requests import payment_data_request, payment_request
from payments.refusals import SchemeUnavailable
from payments.sessions import open_session
from tests.payments.customers import unkeyed
from tokens.providers.stripe import VERSION
from transactions.money import Money

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
ID = UUID("019a3f2e-7c1b-7d52-9b1e-0c8f4a6d2e11")


@pytest.fixture(autouse=True)
def merchant(settings) -> None:
    """Somebody who has set up nothing but a name."""
    settings.MERCHANT_NAME, settings.MERCHANT_COUNTRY = "Lunch Club", "DE"
    settings.PUBLIC_URL, settings.WALLET_MANAGEMENT_URL = "https://wallet.example.com", ""
    settings.APPLE_PAY_MERCHANT_ID = settings.GOOGLE_PAY_MERCHANT_ID = settings.GOOGLE_PAY_RECIPIENT_ID = ""
    settings.GOOGLE_PAY_ENVIRONMENT, settings.GOOGLE_PAY_PRIVATE_KEYS = "TEST", ()


def session(amount: int = 2500, currency: str = "USD", **facts: int) -> PaymentSession:
    return PaymentSession(
        id=ID,
        scheme="apple_pay",
        amount=amount,
        currency=currency,
        nonce="n0nce",
        created_at=AT,
        expires_at=AT,
        **facts,
    )


def test_when_an_iphone_is_asked_then_the_request_is_apple_s_and_bound_to_the_session():
    request = payment_request(session())

    assert request == {
        "countryCode": "DE",
        "currencyCode": "USD",
        "merchantCapabilities": ["supports3DS", "supportsCredit", "supportsDebit"],
        "supportedNetworks": ["amex", "discover", "elo", "jcb", "maestro", "masterCard", "visa"],
        "total": {"label": "Lunch Club", "amount": "25.00", "type": "final"},
        "applicationData": base64.b64encode(b"n0nce").decode(),
    }


def test_when_a_merchant_id_is_configured_then_native_clients_find_it(settings):
    settings.APPLE_PAY_MERCHANT_ID = "merchant.com.example"

    assert payment_request(session())["merchantIdentifier"] == "merchant.com.example"


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [(1, "USD", "0.01"), (2500, "JPY", "2500"), (1255, "KWD", "1.255"), (10050, "EUR", "100.50")],
)
def test_when_apple_is_told_an_amount_then_it_is_a_decimal_of_major_units(amount, currency, written):
    assert payment_request(session(amount, currency))["total"]["amount"] == written


def test_when_an_automatic_top_up_is_agreed_to_then_apple_s_request_has_its_reload():
    request = payment_request(session(reload_threshold=500, reload_amount=2000))

    assert request["total"]["amount"] == "25.00"
    assert request["automaticReloadPaymentRequest"] == {
        "paymentDescription": "Automatic top-up of Lunch Club",
        "automaticReloadBilling": {
            "label": "Automatic top-up of Lunch Club",
            "amount": "20.00",
            "type": "final",
            "paymentTiming": "automaticReload",
            "automaticReloadPaymentThresholdAmount": "5.00",
        },
        "billingAgreement": "20.00 USD are added whenever the balance falls below 5.00 USD, until you switch it off.",
        "managementURL": "https://wallet.example.com",
    }


def test_when_an_android_phone_is_asked_then_the_request_is_google_s():
    request = payment_data_request(session())

    specification = request["allowedPaymentMethods"][0].pop("tokenizationSpecification")
    assert request == {
        "apiVersion": 2,
        "apiVersionMinor": 0,
        "merchantInfo": {"merchantName": "Lunch Club"},
        "allowedPaymentMethods": [
            {
                "type": "CARD",
                "parameters": {
                    "allowedAuthMethods": ["PAN_ONLY", "CRYPTOGRAM_3DS"],
                    "allowedCardNetworks": [
                        "AMEX",
                        "DISCOVER",
                        "ELO",
                        "JCB",
                        "MAESTRO",
                        "MASTERCARD",
                        "VISA",
                    ],
                    "assuranceDetailsRequired": True,
                },
            }
        ],
        "transactionInfo": {
            "currencyCode": "USD",
            "countryCode": "DE",
            "transactionId": str(ID),
            "totalPriceStatus": "FINAL",
            "totalPrice": "25.00",
            "totalPriceLabel": "Lunch Club",
            "checkoutOption": "COMPLETE_IMMEDIATE_PURCHASE",
        },
    }
    assert specification["type"] == "DIRECT"
    assert specification["parameters"]["protocolVersion"] == "ECv2"
    point = base64.b64decode(specification["parameters"]["publicKey"])
    assert (len(point), point[0]) == (65, 4)


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [(2500, "JPY", "2500"), (1250, "KWD", "1.25"), (7, "USD", "0.07"), (12300, "CLF", "1.23")],
)
def test_when_google_is_told_an_amount_then_it_has_two_decimals_or_none(amount, currency, written):
    assert payment_data_request(session(amount, currency))["transactionInfo"]["totalPrice"] == written


def test_when_an_automatic_top_up_is_agreed_to_then_google_is_told_that_and_nothing_else(settings):
    settings.WALLET_MANAGEMENT_URL = "https://app.example.com/top-ups"

    request = payment_data_request(session(reload_threshold=500, reload_amount=2000))

    assert "transactionInfo" not in request
    assert request["automaticReloadTransactionInfo"] == {
        "currencyCode": "USD",
        "countryCode": "DE",
        "transactionId": str(ID),
        "immediateTotalPrice": "25.00",
        "minimumBalanceAmount": "5.00",
        "reloadAmount": "20.00",
        "label": "Automatic top-up of Lunch Club",
        "billingAgreement": "20.00 USD are added whenever the balance falls below 5.00 USD, until you switch it off.",
        "managementUrl": "https://app.example.com/top-ups",
    }


def test_when_it_is_real_then_google_is_told_who_we_are(settings):
    settings.GOOGLE_PAY_ENVIRONMENT, settings.GOOGLE_PAY_MERCHANT_ID = "PRODUCTION", "BCR2DN4T"

    assert payment_data_request(session())["merchantInfo"] == {
        "merchantName": "Lunch Club",
        "merchantId": "BCR2DN4T",
    }


def test_when_we_have_a_key_of_our_own_then_google_encrypts_to_it(settings, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings.GOOGLE_PAY_PRIVATE_KEYS = (str(file),)

    parameters = payment_data_request(session())["allowedPaymentMethods"][0]["tokenizationSpecification"][
        "parameters"
    ]

    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert parameters == {"protocolVersion": "ECv2", "publicKey": base64.b64encode(point).decode()}


@pytest.mark.parametrize(
    ("recipient", "parameters"),
    [
        ("gateway:basistheory", {"gateway": "basistheory", "gatewayMerchantId": "tenant-1"}),
        (
            "gateway:stripe",
            {"gateway": "stripe", "stripe:version": VERSION, "stripe:publishableKey": "pk_test_1"},
        ),
    ],
)
def test_when_a_gateway_opens_the_tokens_then_google_is_told_which(settings, recipient, parameters):
    settings.GOOGLE_PAY_RECIPIENT_ID = recipient
    settings.GOOGLE_PAY_GATEWAY_MERCHANT_ID, settings.STRIPE_PUBLISHABLE_KEY = "tenant-1", "pk_test_1"

    method = payment_data_request(session())["allowedPaymentMethods"][0]

    assert method["tokenizationSpecification"] == {"type": "PAYMENT_GATEWAY", "parameters": parameters}


def test_when_nobody_could_open_google_s_tokens_then_no_session_is_opened(customer, settings):
    settings.SANDBOX, settings.GOOGLE_PAY_MERCHANT_ID = False, "BCR2DN4T"
    settings.TOKEN_VAULT, settings.STRIPE_API_KEY = "stripe", "sk_test_1"

    with pytest.raises(SchemeUnavailable):
        open_session(
            wallet_id=customer.wallet_id,
            owner_id=customer.user.id,
            scheme="google_pay",
            amount=Money(2500, "USD"),
            actor=customer.actor,
            call=unkeyed(),
        )

    assert not PaymentSession.objects.filter(user=customer.user).exists()

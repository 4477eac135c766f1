"""What the phone is asked: a session's facts in the words of Apple's and Google's clients.

`ApplePaySession` takes an `ApplePayPaymentRequest` (version 14 of Apple Pay on the Web, which has automatic
reloads; older clients pass over what they don't know). A native `PKPaymentRequest` has the same members, and
`merchantIdentifier` besides. Google's JavaScript and Android clients take a `PaymentDataRequest`.
"""

from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from payments.models import PaymentSession
from payments.refusals import SchemeUnavailable
from payments.schemes import sandbox_authority
from payments.schemes.contract import application_data
from payments.schemes.key_files import private_key
from payments.schemes.registry import APPLE_PAY, GOOGLE_PAY
from tokens.providers.stripe import VERSION
from transactions.money import Money
from transactions.refusals import InvalidInput

APPLE_NETWORKS = ("amex", "discover", "elo", "jcb", "maestro", "masterCard", "visa")
GOOGLE_NETWORKS = ("AMEX", "DISCOVER", "ELO", "JCB", "MAESTRO", "MASTERCARD", "VISA")


def payment_request(session: PaymentSession) -> dict[str, Any]:
    """Write an Apple Pay session as an `ApplePayPaymentRequest`; amounts are decimal strings of major units.

    `applicationData` binds the phone's token to this session.
    """
    label = settings.MERCHANT_NAME
    amount = Money(session.amount, session.currency)
    request: dict[str, Any] = {
        "countryCode": settings.MERCHANT_COUNTRY,
        "currencyCode": session.currency,
        "merchantCapabilities": ["supports3DS", "supportsCredit", "supportsDebit"],
        "supportedNetworks": list(APPLE_NETWORKS),
        "total": {"label": label, "amount": amount.major, "type": "final"},
        "applicationData": application_data(session.nonce),
    }
    if settings.APPLE_PAY_MERCHANT_ID:
        request["merchantIdentifier"] = settings.APPLE_PAY_MERCHANT_ID
    if session.reload_amount is not None and session.reload_threshold is not None:
        request["automaticReloadPaymentRequest"] = {
            "paymentDescription": _reload_text(),
            "automaticReloadBilling": {
                "label": _reload_text(),
                "amount": Money(session.reload_amount, session.currency).major,
                "type": "final",
                "paymentTiming": "automaticReload",
                "automaticReloadPaymentThresholdAmount": Money(
                    session.reload_threshold, session.currency
                ).major,
            },
            "billingAgreement": _agreement(session),
            "managementURL": settings.WALLET_MANAGEMENT_URL or settings.PUBLIC_URL,
        }
    return request


def payment_data_request(session: PaymentSession) -> dict[str, Any]:
    """Write a Google Pay session as a `PaymentDataRequest`, whose prices have two decimals or none.

    It has exactly one of `transactionInfo` and `automaticReloadTransactionInfo`.
    """
    amount = Money(session.amount, session.currency)
    merchant = {"merchantName": settings.MERCHANT_NAME}
    if settings.GOOGLE_PAY_ENVIRONMENT == "PRODUCTION":
        merchant["merchantId"] = settings.GOOGLE_PAY_MERCHANT_ID
    return {
        "apiVersion": 2,
        "apiVersionMinor": 0,
        "merchantInfo": merchant,
        "allowedPaymentMethods": [
            {
                "type": "CARD",
                "parameters": {
                    "allowedAuthMethods": ["PAN_ONLY", "CRYPTOGRAM_3DS"],
                    "allowedCardNetworks": list(GOOGLE_NETWORKS),
                    "assuranceDetailsRequired": True,
                },
                "tokenizationSpecification": _tokenization(),
            }
        ],
        **_google_price(session, amount),
    }


def require_known_recipient(scheme: str) -> None:
    """Refuse with SchemeUnavailable where it isn't configured whom Google is to encrypt to."""
    if scheme == GOOGLE_PAY:
        _tokenization()


def require_writable(amount: Money, *, scheme: str) -> None:
    """Refuse with InvalidInput, naming the field `amount`, what the scheme's client can't be told exactly."""
    if scheme == GOOGLE_PAY and _google_decimal(amount) is None:
        raise InvalidInput("Google Pay knows two decimals: this amount has more.", field="amount")


def request_of(session: PaymentSession) -> dict[str, Any]:
    """Name and write the request of a session, whichever scheme it is of."""
    if session.scheme == APPLE_PAY:
        return {"payment_request": payment_request(session)}
    return {"payment_data_request": payment_data_request(session)}


def _tokenization() -> dict[str, Any]:
    """Say whom Google encrypts to: the gateway that `GOOGLE_PAY_RECIPIENT_ID` names, or us. All values are texts."""
    kind, _, name = settings.GOOGLE_PAY_RECIPIENT_ID.partition(":")
    if kind == "gateway":
        if name == "stripe":
            parameters = {
                "gateway": name,
                "stripe:version": VERSION,
                "stripe:publishableKey": settings.STRIPE_PUBLISHABLE_KEY,
            }
        else:
            parameters = {"gateway": name, "gatewayMerchantId": settings.GOOGLE_PAY_GATEWAY_MERCHANT_ID}
        return {"type": "PAYMENT_GATEWAY", "parameters": parameters}
    key = _google_key()
    if key is None:
        raise SchemeUnavailable("Google Pay needs a gateway or a key of our own to encrypt to.")
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "type": "DIRECT",
        "parameters": {"protocolVersion": "ECv2", "publicKey": b64encode(point).decode()},
    }


def _google_key() -> EllipticCurvePrivateKey | None:
    """Give the key that Google encrypts to; the first one configured, the sandbox's own where there is none."""
    for path in settings.GOOGLE_PAY_PRIVATE_KEYS:
        key = private_key(path)
        if isinstance(key, EllipticCurvePrivateKey):
            return key
    if sandbox_authority.trusts_google_phones():
        return sandbox_authority.google_authority().encryption_key
    return None


def _google_price(session: PaymentSession, amount: Money) -> dict[str, Any]:
    told = {
        "currencyCode": session.currency,
        "countryCode": settings.MERCHANT_COUNTRY,
        "transactionId": str(session.id),
    }
    if session.reload_amount is None or session.reload_threshold is None:
        return {
            "transactionInfo": {
                **told,
                "totalPriceStatus": "FINAL",
                "totalPrice": _google_decimal(amount),
                "totalPriceLabel": settings.MERCHANT_NAME,
                "checkoutOption": "COMPLETE_IMMEDIATE_PURCHASE",
            }
        }
    return {
        "automaticReloadTransactionInfo": {
            **told,
            "immediateTotalPrice": _google_decimal(amount),
            "minimumBalanceAmount": _google_decimal(Money(session.reload_threshold, session.currency)),
            "reloadAmount": _google_decimal(Money(session.reload_amount, session.currency)),
            "label": _reload_text()[:100],
            "billingAgreement": _agreement(session)[:300],
            "managementUrl": settings.WALLET_MANAGEMENT_URL or settings.PUBLIC_URL,
        }
    }


def _google_decimal(amount: Money) -> str | None:
    """Write an amount with two decimals or none; None where that isn't exact (KWD and TND have three)."""
    whole, _, fraction = amount.major.partition(".")
    if len(fraction) > 2:
        if fraction[2:].strip("0"):
            return None
        fraction = fraction[:2]
    return f"{whole}.{fraction}" if fraction else whole


def _reload_text() -> str:
    return f"Automatic top-up of {settings.MERCHANT_NAME}"


def _agreement(session: PaymentSession) -> str:
    reload = Money(session.reload_amount or 0, session.currency)
    threshold = Money(session.reload_threshold or 0, session.currency)
    return f"{reload} are added whenever the balance falls below {threshold}, until you switch it off."

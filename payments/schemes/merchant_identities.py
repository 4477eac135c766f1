"""Who we are to Apple and to Google: as configured, or in the sandbox as its phones expect."""

from django.conf import settings

SANDBOX_MERCHANT_ID = "merchant.open-wallet.sandbox"
"""Ours at the sandbox's Apple."""
TEST_RECIPIENT = "merchant:12345678901234567890"
"""Whom Google signs for in its TEST environment, whoever asks."""
GATEWAY = "gateway:"
STRIPES = "gateway:stripe"
"""The gateway whose tokens are its own and not Google's envelope: nobody but Stripe can verify them."""


def apple_merchant_id() -> str:
    """Give our merchant id at Apple, which the key of each token depends on."""
    return settings.APPLE_PAY_MERCHANT_ID or SANDBOX_MERCHANT_ID


def google_recipient() -> str:
    """Tell for whom Google signs our tokens: `merchant:` or `gateway:` and an id."""
    if settings.GOOGLE_PAY_RECIPIENT_ID:
        return str(settings.GOOGLE_PAY_RECIPIENT_ID)
    if settings.GOOGLE_PAY_ENVIRONMENT == "TEST" or not settings.GOOGLE_PAY_MERCHANT_ID:
        return TEST_RECIPIENT
    return f"merchant:{settings.GOOGLE_PAY_MERCHANT_ID}"

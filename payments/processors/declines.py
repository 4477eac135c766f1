"""What a decline code means: whether to try again, and what the customer may be told.

The codes are Stripe's, which other processors' are translated to. A code that isn't listed asks the customer.
"""

from payments.processors.contract import Declined, RetryClass

_LATER = frozenset(
    {
        "approve_with_id",
        "card_velocity_exceeded",
        "insufficient_funds",
        "issuer_not_available",
        "processing_error",
        "reenter_transaction",
        "try_again_later",
        "withdrawal_count_limit_exceeded",
    }
)
_NEVER = frozenset(
    {
        "do_not_try_again",
        "fraudulent",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "stop_payment_order",
    }
)
# Whoever holds a stolen card isn't told that the bank knows.
_NOT_TOLD = frozenset({"fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card"})

GENERIC = "generic_decline"


def retry_class(decline_code: str) -> RetryClass:
    """Tell what a decline code means for another attempt with the same card."""
    if decline_code in _LATER:
        return RetryClass.LATER
    return RetryClass.NEVER if decline_code in _NEVER else RetryClass.ASK_CUSTOMER


def declined(decline_code: str, *, reference: str = "") -> Declined:
    """Make the outcome of a decline, with the class that its code belongs to."""
    return Declined(decline_code=decline_code, retry=retry_class(decline_code), reference=reference)


def shown_code(decline_code: str) -> str:
    """Tell the code that a customer may see."""
    return GENERIC if decline_code in _NOT_TOLD else decline_code

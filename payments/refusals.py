"""What payments refuse beyond wallets and tokens, with the codes that client apps rely on.

The three failures of a processor are raised only where nothing can have been charged.
"""

from transactions.refusals import Refusal, Unavailable


class ProcessorFailed(Refusal):
    """The processor answered with a failure of its own before it could charge."""

    code = "provider_error"
    default_detail = "The payment provider failed. Nothing was charged."


class ProcessorUnavailable(ProcessorFailed):
    """The processor can't be reached, or asks to come back later."""

    code = "unavailable"
    default_detail = "The payment provider can not be reached. Nothing was charged."


class ProcessorTimeout(ProcessorFailed):
    """The processor took too long to take the request; it never received all of it."""

    code = "provider_timeout"
    default_detail = "The payment provider did not answer in time. Nothing was charged."


class PaymentTokenInvalid(Refusal):
    """The payment token is malformed, or wasn't signed by the scheme for us.

    `check` names what it failed: for the log, the answer doesn't tell.
    """

    code = "payment_token_invalid"
    default_detail = "The payment token is not genuine. Nothing was charged."

    def __init__(self, check: str) -> None:
        self.check = check
        super().__init__(field="payment_data")


class PaymentTokenExpired(PaymentTokenInvalid):
    """The token is genuine, but too old, or from a time to come."""

    code = "payment_token_expired"
    default_detail = "The payment token is not of this moment. Nothing was charged."


class PaymentTokenMismatch(PaymentTokenInvalid):
    """The token is genuine, but was made for another session, amount or currency."""

    code = "payment_token_mismatch"
    default_detail = "The payment token was made for another payment. Nothing was charged."


class PaymentTokenKeyUnknown(PaymentTokenInvalid):
    """The token is genuine, but encrypted to a key that isn't here: a retired one, or another merchant's."""

    code = "payment_token_key_unknown"
    default_detail = "The payment token was encrypted for a key that is not in use here. Nothing was charged."


class PaymentTokenSimulated(PaymentTokenInvalid):
    """The token comes from a phone's simulator, which makes empty ones."""

    code = "payment_token_simulated"
    default_detail = "A simulator makes empty payment tokens. Nothing was charged."


class PaymentTokenUsed(Refusal):
    """The token has been used before."""

    code = "payment_token_used"
    default_detail = "This payment token has been used. Nothing was charged."


class SchemeUnavailable(Refusal):
    """This installation isn't set up for the mobile wallet."""

    code = "scheme_unavailable"
    default_detail = "This mobile wallet is not set up here."


class SchemeKeysUnavailable(Unavailable):
    """The scheme's public keys can't be had at the moment, so that no token can be verified."""

    default_detail = "The mobile wallet's keys can not be reached. Nothing was charged."


class SignatureInvalid(Refusal):
    """A webhook's body wasn't signed by its provider, or too long ago."""

    code = "invalid_signature"
    default_detail = "The signature is not that of the provider."


class WebhookTooLarge(Refusal):
    """A webhook's body is larger than any that a provider sends."""

    code = "payload_too_large"
    default_detail = "The body is larger than a webhook may be."


class SessionConsumed(Refusal):
    """The payment session has paid, or was cancelled; it pays no more."""

    code = "session_consumed"
    default_detail = "The payment session has been used."


class SessionExpired(Refusal):
    """The payment session's 15 minutes are over."""

    code = "session_expired"
    default_detail = "The payment session has expired."


class RefundNotPending(Refusal):
    """Somebody has decided on the refund, or it was taken back."""

    code = "refund_not_pending"
    default_detail = "The refund is not pending."


class NotRefundable(Refusal):
    """Only completed deposits from a card and payments to the merchant can be refunded."""

    code = "not_refundable"
    default_detail = "The transaction can not be refunded."


class PaymentDisputed(Refusal):
    """The cardholder's bank has taken the charge back, or may: a refund would give the money twice."""

    code = "payment_disputed"
    default_detail = "The charge is disputed, so that it can not be refunded."


class BreakNotOpen(Refusal):
    """Somebody has proposed how the break is resolved, or it stands no more."""

    code = "break_not_open"
    default_detail = "The break is not open."


class BreakNotProposed(Refusal):
    """Nobody has proposed how the break is resolved, or it stands no more."""

    code = "break_not_proposed"
    default_detail = "Nothing is proposed for the break."

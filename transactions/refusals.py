"""Refusals: an expected "no" of the business, as opposed to a bug.

A refusal is raised before anything moved, or rolls back all that did. Its `code` is a promise to client apps;
`config.gateway.problems` holds the one table from code to HTTP status, advice and explanation.
"""

from typing import Any, ClassVar


class Refusal(Exception):
    """A coded "no". `detail` is for people, `field` names the input at fault, `extra` joins the problem body."""

    code: ClassVar[str]
    default_detail: ClassVar[str] = ""

    def __init__(self, detail: str = "", *, field: str = "", extra: dict[str, Any] | None = None) -> None:
        self.detail = detail or self.default_detail
        self.field = field
        self.extra = extra or {}
        super().__init__(f"{self.code}: {self.detail}")


class InvalidInput(Refusal):
    """The input breaks a rule that needs no state to see."""

    code = "validation_error"
    default_detail = "The request is not valid."


class NotFound(Refusal):
    """It doesn't exist, or belongs to somebody else: the two look alike."""

    code = "not_found"
    default_detail = "There is no such object."


class CurrencyMismatch(Refusal):
    """The currency of the amount isn't the wallet's."""

    code = "currency_mismatch"
    default_detail = "The currency is not the wallet's."


class InsufficientFunds(Refusal):
    """The available balance doesn't cover the amount."""

    code = "insufficient_funds"
    default_detail = "The available balance does not cover the amount."


class LimitExceeded(Refusal):
    """One of the wallet's limits would be passed."""

    code = "limit_exceeded"
    default_detail = "A limit of the wallet would be exceeded."


class AlreadyReversed(Refusal):
    """The transfer has been reversed before."""

    code = "already_reversed"
    default_detail = "The transaction has already been reversed."


class AlreadyRefunded(Refusal):
    """All of the transaction has been refunded or is being refunded; or it can't be reversed since some of it is."""

    code = "already_refunded"
    default_detail = "The transaction has already been refunded."


class NotReversible(Refusal):
    """The transfer isn't of a kind or in a state that can be reversed."""

    code = "not_reversible"
    default_detail = "The transaction can not be reversed."


class HoldNotOpen(Refusal):
    """The hold has been captured, voided or has expired."""

    code = "hold_not_open"
    default_detail = "The hold is not open."


class AmountExceedsRemaining(Refusal):
    """The amount is more than what remains."""

    code = "amount_exceeds_remaining"
    default_detail = "The amount exceeds what remains."


class SelfApproval(Refusal):
    """Whoever asks for something doesn't decide on it."""

    code = "self_approval"
    default_detail = "Whoever asked for this can not decide on it."


class IdempotencyKeyReused(Refusal):
    """The key has been used for another request."""

    code = "idempotency_key_reused"
    default_detail = "This idempotency key has been used for another request."


class IdempotencyInProgress(Refusal):
    """The first request with this key has not been answered yet."""

    code = "idempotency_in_progress"
    default_detail = "The first request with this idempotency key is still running."


class IdempotencyKeyRequired(Refusal):
    """The call moves money and has no key."""

    code = "idempotency_key_required"
    default_detail = "This call needs an Idempotency-Key header of 1 to 255 visible ASCII characters."


class Unavailable(Refusal):
    """A lock can't be had in time; nothing moved."""

    code = "unavailable"
    default_detail = "The wallet is busy. Try again with the same key."

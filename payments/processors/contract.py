"""What every payment processor does. An adapter is one module of this package, or anybody's under a dotted path.

A charge has three kinds of answer that are never mixed up: it succeeded, it didn't (declined, or the customer
has something to do first), or nobody knows. Only what is unknown is asked for again, by the key that we gave.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from tokens.outbound import CardForCharge, ReferenceForCharge
from transactions.money import Money


class RetryClass(StrEnum):
    """What a decline means for another attempt with the same card."""

    LATER = "later"
    ASK_CUSTOMER = "ask_customer"
    NEVER = "never"


class ChargeBy(StrEnum):
    """What a processor needs of a card that a vault keeps: its number, or the vault's reference of it."""

    CARD = "card"
    REFERENCE = "reference"


Source = CardForCharge | ReferenceForCharge


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """One charge. `key` is ours, unique for ever; the same key never charges twice.

    `is_off_session` says that no customer is there to confirm it, `is_first_charge` that the card hasn't been charged
    before: a phone's proof of one payment, which its vault may keep, is still unused then. `metadata` is kept by the processor beside the
    charge, and holds ids alone.
    """

    key: str
    amount: Money
    source: Source
    is_off_session: bool = False
    is_first_charge: bool = False
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """One refund, of a part or the whole, of the charge that the processor calls `charge_reference`."""

    key: str
    charge_reference: str
    amount: Money
    reason: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The processor has the money, or has given it back; `reference` is its own id of the charge or refund."""

    reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Declined:
    """Final: nothing was charged, or nothing will be refunded. `decline_code` in Stripe's words."""

    decline_code: str
    retry: RetryClass
    reference: str = ""


@dataclass(frozen=True, slots=True)
class RequiresAction:
    """The customer has to do something first; `next_action` is what the client application needs for it."""

    reference: str
    next_action: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have happened; `reason` is for the logs.

    `is_answered` says that the provider is well and hasn't decided yet, which is no failure of its own.
    """

    reason: str
    is_answered: bool = False


@dataclass(frozen=True, slots=True)
class NotFound:
    """The processor knows of nothing under this key, now."""


class DisputeStage(StrEnum):
    """Where a dispute stands at the processor; an inquiry moves no money."""

    INQUIRY = "inquiry"
    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeFacts:
    """A charge that the cardholder's bank disputes, as the processor tells it now.

    `charge_reference` is the reference of the charge's own outcome. `withdrawn` is what the processor keeps back
    for it at the moment: nothing before the funds are withdrawn, nothing again once they are reinstated.
    """

    reference: str
    charge_reference: str
    amount: Money
    withdrawn: Money
    stage: DisputeStage
    reason: str


ChargeOutcome = Succeeded | Declined | RequiresAction | Unknown
RefundOutcome = Succeeded | Declined | Unknown


class Processor(Protocol):
    """Moves money between cards and us. Called outside of database transactions, through `processors.calls`.

    `charge` and `refund` may raise `payments.refusals.ProcessorFailed` and its kinds, and only where nothing can
    have moved: the request was never sent, or was refused as a whole. Everything else that goes wrong once the
    request is under way is Unknown. The same key with another amount or source is refused, not charged.
    """

    name: ClassVar[str]
    """What payments and the chart of accounts remember; stable for ever."""

    late_for_s: ClassVar[int]
    """How long after the last byte was sent a charge that wasn't found may still appear, in seconds."""

    def charge_by(self, *, vault: str) -> ChargeBy:
        """Tell what is needed to charge a card that this vault keeps. Refuses with ProcessorFailed one it can't use."""
        ...

    def require_amount(self, amount: Money) -> None:
        """Refuse with InvalidInput, naming the field `amount`, what the processor can't represent exactly."""
        ...

    def charge(self, request: ChargeRequest) -> ChargeOutcome:
        """Charge once for the key; a repeated key answers as the first did, and charges nothing."""
        ...

    def find_charge(self, *, key: str, reference: str = "") -> ChargeOutcome | NotFound:
        """Tell what became of the charge with this key; `reference` is the processor's id where it is known.

        Refuses with ProcessorFailed when it can't be asked.
        """
        ...

    def cancel_charge(self, *, key: str, reference: str) -> ChargeOutcome | NotFound:
        """Give up a charge that waits for the customer, and tell what has become of it by then."""
        ...

    def refund(self, request: RefundRequest) -> RefundOutcome:
        """Give money back once for the key. Unknown stands for a refund that the bank hasn't decided, too."""
        ...

    def find_refund(
        self, *, key: str, reference: str = "", charge_reference: str = ""
    ) -> RefundOutcome | NotFound:
        """Tell what became of the refund with this key; one that had succeeded may be Declined by now.

        `reference` and `charge_reference` are the processor's ids where they are known.
        """
        ...

    def find_dispute(self, *, reference: str) -> DisputeFacts | NotFound:
        """Tell how a dispute stands. Refuses with ProcessorFailed when it can't be asked."""
        ...

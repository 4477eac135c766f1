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
    """What a processor needs of a saved card: its number, or the vault's reference of it."""

    CARD = "card"
    REFERENCE = "reference"


Source = CardForCharge | ReferenceForCharge


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """One charge. `key` is ours, unique for ever; the same key never charges twice.

    `is_off_session` says that no customer is there to confirm it. `metadata` is kept by the processor beside the
    charge, and holds ids alone.
    """

    key: str
    amount: Money
    source: Source
    is_off_session: bool = False
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
    """It may or may not have happened; `reason` is for the logs."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """The processor knows of nothing under this key, now."""


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

    charge_by: ClassVar[ChargeBy]

    late_for_s: ClassVar[int]
    """How long after the last byte was sent a charge that wasn't found may still appear, in seconds."""

    def charge(self, request: ChargeRequest) -> ChargeOutcome:
        """Charge once for the key; a repeated key answers as the first did, and charges nothing."""
        ...

    def find_charge(self, *, key: str) -> ChargeOutcome | NotFound:
        """Tell what became of the charge with this key. Refuses with ProcessorFailed when it can't be asked."""
        ...

    def refund(self, request: RefundRequest) -> RefundOutcome:
        """Give money back once for the key. Unknown stands for a refund that the bank hasn't decided, too."""
        ...

    def find_refund(self, *, key: str) -> RefundOutcome | NotFound:
        """Tell what became of the refund with this key; one that had succeeded may be Declined by now."""
        ...

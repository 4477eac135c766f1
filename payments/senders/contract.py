"""What every sender of webhooks does: prove that a body is its own, and say what it concerns.

A body is never believed beyond that. What it concerns is read again at the provider, so that the order, the number
and the age of events don't matter. A sender is one module of this package.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol


class Kind(StrEnum):
    """What an event concerns; NOTHING is kept and acknowledged, and that is all."""

    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An event whose signature is good. `body` is what is kept of it: ids and states, nobody's data."""

    event_id: str
    type: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What to read again: its reference at the provider, our own key where the event carries it, and its charge's."""

    kind: Kind
    reference: str = ""
    key: str = ""
    charge_reference: str = ""


NOTHING = Concern(kind=Kind.NOTHING)


class Sender(Protocol):
    """One provider that sends webhooks to `/payment/webhooks/<name>`."""

    processors: ClassVar[frozenset[str]]
    """Whose charges it tells of, by the names that payments remember."""

    def is_expected(self) -> bool:
        """Whether this installation is set up to hear from it; otherwise its path doesn't exist."""
        ...

    def read(self, *, raw: bytes, headers: Mapping[str, str], at: datetime) -> Notice:
        """Check the signature over the raw bytes, then read them. Refuses with SignatureInvalid and InvalidInput."""
        ...

    def concern(self, notice: Notice) -> Concern:
        """Tell what an event concerns."""
        ...

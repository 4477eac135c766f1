"""What every vault does. An adapter is one module of this package, or any class under a dotted path.

A vault keeps card data and gives a reference for it. Its calls may go over a network, so nobody makes them
inside a database transaction.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from tokens.cards import Card


@dataclass(frozen=True, slots=True, repr=False)
class VaultedInstrument:
    """What the vault tells of an item that it has stored.

    `ref` finds it again; several tokens may share one where the vault recognises the same card. `fingerprint` is
    the vault's own, or empty. The repr hides the reference.
    """

    ref: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str = ""

    def __repr__(self) -> str:
        return f"VaultedInstrument({self.brand} ending in {self.last4})"


@dataclass(frozen=True, slots=True, repr=False)
class DeviceCard:
    """What a phone's payment token held, decrypted by us: its own number for the card, and the proof of one payment.

    `cryptogram` is base64 and empty where the phone gave a plain card number; `eci` is empty unless it was given.
    Both are good for the one charge under way and are never stored. The repr hides all but the last four digits.
    """

    number: str
    exp_month: int
    exp_year: int
    cryptogram: str = ""
    eci: str = ""

    def __repr__(self) -> str:
        return f"DeviceCard(ending in {self.number[-4:]})"


@dataclass(frozen=True, slots=True, repr=False)
class MobilePayload:
    """A payment token that a phone made, its signature verified where we can.

    `scheme` is `apple_pay` or `google_pay`. `payment_data` is what the phone gave: for Apple Pay the whole token
    (`paymentData`, `paymentMethod`, `transactionIdentifier`), for Google Pay its `PaymentData` object.
    `device_card` is there where we decrypted it. The repr hides everything but the scheme.
    """

    scheme: str
    payment_data: dict[str, Any]
    device_card: DeviceCard | None = None

    def __repr__(self) -> str:
        return f"MobilePayload({self.scheme})"


class CardStaysInVault(Exception):
    """The vault never hands out a number: charge by reference instead. A mistake of configuration, not of a client."""


class Vault(ABC):
    """Keeps card data. Every method may raise VaultUnavailable, VaultTimeout or VaultFailed (`tokens.refusals`)."""

    name: ClassVar[str]
    """What tokens remember as their `provider`; stable for ever."""

    needs_decrypted: ClassVar[bool]
    """Whether a phone's payment token must be decrypted by us before this vault can keep its card."""

    @abstractmethod
    def store_card(self, *, token_id: UUID, card: Card, now: datetime) -> VaultedInstrument:
        """Keep a card for the token that will have this id.

        Stored twice under one token id it is one item: the id is the provider's idempotency key. Refuses with
        InvalidInput, naming the field, a card that the vault finds invalid.
        """

    @abstractmethod
    def store_mobile(self, *, token_id: UUID, payload: MobilePayload, now: datetime) -> VaultedInstrument:
        """Keep the card of a phone for the token that will have this id; once, as `store_card`.

        `payload.device_card` is there when `needs_decrypted` says so. Refuses with InvalidInput, naming the field
        `payment_data`, what the vault can't read.
        """

    @abstractmethod
    def reveal_card(self, *, ref: str) -> Card:
        """Give the whole card back. Raises LookupError when the item is gone, CardStaysInVault when none is given."""

    @abstractmethod
    def is_usable(self, *, ref: str) -> bool:
        """Whether the item is there and can still be charged."""

    @abstractmethod
    def destroy(self, *, ref: str) -> None:
        """Forget the item. One that is gone already is no error."""

    def discard_abandoned(self, *, created_before: datetime) -> int:
        """Forget items whose token was never written, and tell how many; for vaults that can tell."""
        return 0

"""What every payment scheme does: it proves that a payment token is genuine, fresh, meant for us and unused.

A scheme moves no money and keeps nothing. What it has proved goes to the vault; what it was proved by, the replay
key, goes into `payments_usedpaymenttoken` in the transaction that opens the payment (`replays.claim`).
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol
from uuid import UUID

from tokens.vaults.contract import DeviceCard, MobilePayload
from transactions.money import Money

FRESH_FOR_S = 300
"""How far a token's signing time may be from now, in seconds, either way. Apple says "a few minutes"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """What our own session says; the token must have been made for it. The amount is never the request's."""

    id: UUID
    amount: Money
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedPayment:
    """A token that passed every check.

    `replay_key` is what makes it unique within its scheme, 1 to 512 characters. `payload` goes to the vault as it
    is, with the card where it was decrypted. `brand` and `last4` are the client's own word for the card, for
    showing until the vault has said better, and may be empty.
    """

    scheme: str
    replay_key: str
    payload: MobilePayload
    brand: str = ""
    last4: str = ""

    @property
    def device_card(self) -> DeviceCard | None:
        """The card that was in the token; none where the vault decrypts."""
        return self.payload.device_card


class Scheme(Protocol):
    """One kind of mobile wallet. Verifying may fetch its public keys, so never inside a database transaction."""

    name: ClassVar[str]
    """`apple_pay` or `google_pay`: what sessions, payments and tokens remember; stable for ever."""

    def is_available(self, *, decrypt: bool) -> bool:
        """Whether enough is configured here to verify tokens, and to decrypt them where `decrypt` asks for it."""
        ...

    def verify(
        self,
        payment_data: dict[str, Any],
        *,
        session: SessionFacts | None,
        now: datetime,
        decrypt: bool,
    ) -> VerifiedPayment:
        """Verify what the phone gave, and decrypt it where the vault in use needs that (`Vault.needs_decrypted`).

        `session` is None where a device is saved without a payment. Refuses with PaymentTokenInvalid and its
        kinds, SchemeUnavailable, and SchemeKeysUnavailable where the scheme's public keys can't be had.
        """
        ...


def application_data(nonce: str) -> str:
    """Give what a session's payment request carries as `applicationData`: base64 of the nonce in UTF-8.

    The phone signs its SHA-256. Safari takes a string and documents the hash of what it decodes to.
    """
    return base64.b64encode(nonce.encode()).decode()

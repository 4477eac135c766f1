"""The one place where a card number leaves the vault: on its way to a payment processor, and on record."""

from dataclasses import dataclass
from uuid import UUID

from events import audit
from tokens.cards import Card
from tokens.models import PaymentToken
from tokens.queries import token_within
from tokens.vault_items import reference_of
from tokens.vaults.contract import DeviceCard
from tokens.vaults.registry import vault_of


@dataclass(frozen=True, slots=True, repr=False)
class CardForCharge:
    """A card with its number, for the length of one call to a processor. Its repr hides all but the last four.

    `scheme` is `apple_pay` or `google_pay` for the card of a phone, and empty for one that was typed in.
    `cryptogram` (base64) and `eci` prove one payment: they are there only while the phone's own payment token is
    being charged, and empty in every later charge.
    """

    token_id: UUID
    brand: str
    number: str
    exp_month: int
    exp_year: int
    holder: str
    scheme: str = ""
    cryptogram: str = ""
    eci: str = ""

    def __repr__(self) -> str:
        return f"CardForCharge({self.brand} ending in {self.number[-4:]})"


@dataclass(frozen=True, slots=True, repr=False)
class ReferenceForCharge:
    """What a processor that works with the vault charges by: the vault's name and its reference of the item."""

    token_id: UUID
    provider: str
    ref: str

    def __repr__(self) -> str:
        return f"ReferenceForCharge({self.provider}, token {self.token_id})"


def card_for_charge(*, token_id: UUID, actor: str, reason: str) -> CardForCharge:
    """Take a card out of its vault; the audit trail says who did, and for what, before it is out.

    Not to be called inside a database transaction. Refuses with NotFound, TokenDeleted and VaultFailed; raises
    CardStaysInVault where the vault hands out no numbers, LookupError where it has lost the item.
    """
    token = token_within(token_id=token_id, owner_id=None)
    audit.record(actor=actor, action="token.revealed", object_type="token", object_id=token_id, reason=reason)
    card: Card = vault_of(token.provider).reveal_card(ref=reference_of(token))
    return CardForCharge(
        token_id=token_id,
        brand=token.brand,
        number=card.number,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        holder=card.holder,
        scheme=_scheme(token),
    )


def device_card_for_charge(
    *, token: PaymentToken, card: DeviceCard, actor: str, reason: str
) -> CardForCharge:
    """Hand on what a phone's payment token held, for the one charge that it proves; the audit trail says so first.

    `token` is the one that stands for the card.
    """
    audit.record(actor=actor, action="token.revealed", object_type="token", object_id=token.id, reason=reason)
    return CardForCharge(
        token_id=token.id,
        brand=token.brand,
        number=card.number,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        holder="",
        scheme=_scheme(token),
        cryptogram=card.cryptogram,
        eci=card.eci,
    )


def reference_for_charge(*, token_id: UUID, actor: str, reason: str) -> ReferenceForCharge:
    """Tell a processor how the vault calls a token's item; the audit trail says who asked, and for what.

    Refuses with NotFound and TokenDeleted.
    """
    token = token_within(token_id=token_id, owner_id=None)
    audit.record(
        actor=actor, action="token.referenced", object_type="token", object_id=token_id, reason=reason
    )
    return ReferenceForCharge(token_id=token_id, provider=token.provider, ref=reference_of(token))


def kept_reference_for_charge(*, token: PaymentToken, actor: str, reason: str) -> ReferenceForCharge:
    """Tell a processor how the vault calls what a phone gave just now; the audit trail says so first.

    `token` is the one that stands for the card, also where it stands for one payment alone.
    """
    audit.record(
        actor=actor, action="token.referenced", object_type="token", object_id=token.id, reason=reason
    )
    return ReferenceForCharge(token_id=token.id, provider=token.provider, ref=reference_of(token))


def _scheme(token: PaymentToken) -> str:
    return "" if token.type == PaymentToken.Type.CARD else token.type

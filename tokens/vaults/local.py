"""The vault that is a table of ours: each card one sealed row. For the sandbox, and for those within PCI scope."""

import json
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef

from tokens.cards import Card
from tokens.models import PaymentToken, VaultedCard
from tokens.vaults.contract import MobilePayload, Vault, VaultedInstrument
from users.sealing import open_sealed, seal

_TABLE = VaultedCard._meta.db_table


class LocalVault(Vault):
    """Seals number, expiry and holder. Keeps no security code; a reference is the row's id."""

    name = "local"
    needs_decrypted = True

    def store_card(self, *, token_id: UUID, card: Card, now: datetime) -> VaultedInstrument:
        """Seal the card into a row whose id is the token's."""
        content = {
            "number": card.number,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "holder": card.holder,
        }
        sealed = seal(json.dumps(content).encode(), table=_TABLE, column="sealed", row_id=token_id)
        row = VaultedCard(id=token_id, sealed=sealed, created_at=now)
        VaultedCard.objects.bulk_create([row], ignore_conflicts=True)
        return VaultedInstrument(
            ref=str(token_id),
            brand=card.brand,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
        )

    def store_mobile(self, *, token_id: UUID, payload: MobilePayload, now: datetime) -> VaultedInstrument:
        """Seal the phone's number for its card as any other; the proof of the one payment is not kept."""
        device_card = payload.device_card
        if device_card is None:
            raise ValueError("The local vault keeps what was decrypted, and nothing was.")
        card = Card(
            number=device_card.number,
            exp_month=device_card.exp_month,
            exp_year=device_card.exp_year,
            holder="",
        )
        return self.store_card(token_id=token_id, card=card, now=now)

    def reveal_card(self, *, ref: str) -> Card:
        """Open the row. Raises LookupError when it is gone."""
        row = VaultedCard.objects.filter(id=UUID(ref)).first()
        if row is None:
            raise LookupError("The vault has no such item.")
        opened = open_sealed(row.sealed, table=_TABLE, column="sealed", row_id=row.id)
        return Card(**json.loads(opened))

    def is_usable(self, *, ref: str) -> bool:
        """Whether the row is there; the expiry is the token's matter."""
        return VaultedCard.objects.filter(id=UUID(ref)).exists()

    def destroy(self, *, ref: str) -> None:
        """Delete the row."""
        VaultedCard.objects.filter(id=UUID(ref)).delete()

    def discard_abandoned(self, *, created_before: datetime) -> int:
        """Delete the rows that a crash left without a token."""
        token = PaymentToken.objects.filter(id=OuterRef("id"))
        abandoned = VaultedCard.objects.filter(created_at__lt=created_before).exclude(Exists(token))
        return abandoned.delete()[0]


def vault() -> LocalVault:
    """Make the vault that `TOKEN_VAULT=local` names."""
    return LocalVault()

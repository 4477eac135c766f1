"""A vault as over a network: keeps its items outside of the database, fails on demand, knows cards again."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import connection

from tokens.cards import Card
from tokens.refusals import VaultUnavailable
from tokens.vaults.contract import CardStaysInVault, MobilePayload, Vault, VaultedInstrument


class RemoteVault(Vault):
    """One reference for each card number, shared by all tokens of that card."""

    name = "tests.tokens.remote_vault.RemoteVault"
    needs_decrypted = False
    items: ClassVar[set[str]] = set()
    is_down: ClassVar[bool] = False

    def store_card(self, *, token_id: UUID, card: Card, now: datetime) -> VaultedInstrument:
        self._called()
        ref = f"tok_{card.last4}"
        self.items.add(ref)
        return VaultedInstrument(
            ref=ref, brand=card.brand, last4=card.last4, exp_month=card.exp_month, exp_year=card.exp_year
        )

    def store_mobile(self, *, token_id: UUID, payload: MobilePayload, now: datetime) -> VaultedInstrument:
        self._called()
        ref = f"{payload.scheme}_{token_id}"
        self.items.add(ref)
        return VaultedInstrument(
            ref=ref, brand="visa", last4="4242", exp_month=12, exp_year=2030, fingerprint="seen by the vault"
        )

    def reveal_card(self, *, ref: str) -> Card:
        raise CardStaysInVault

    def is_usable(self, *, ref: str) -> bool:
        self._called()
        return ref in self.items

    def destroy(self, *, ref: str) -> None:
        self._called()
        self.items.discard(ref)

    def _called(self) -> None:
        assert not connection.savepoint_ids, "a vault was called inside a database transaction"
        if self.is_down:
            raise VaultUnavailable

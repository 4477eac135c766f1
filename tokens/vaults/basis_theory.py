"""The vault at Basis Theory: card tokens, Apple Pay and Google Pay tokens. No number ever comes back from it.

Tokens are asked for undivided (`deduplicate_token` false), but a tenant can be set to recognise cards all the same:
then two of ours share one item, and it goes with the last of them.
"""

from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID, uuid5

import orjson
import structlog

from tokens.cards import Card
from tokens.providers import basis_theory
from tokens.providers.basis_theory import BasisTheoryReference, ItemKind
from tokens.providers.calls import ProviderAnswer
from tokens.refusals import VaultFailed
from tokens.vaults.contract import CardStaysInVault, MobilePayload, Vault, VaultedInstrument
from tokens.vaults.provider_answers import Operation, id_in, object_in, read, refused
from transactions.refusals import InvalidInput

PATHS: dict[ItemKind, str] = {"token": "/tokens", "apple_pay": "/apple-pay", "google_pay": "/google-pay"}
FIELDS = {"data.number": "number", "data.expiration_month": "exp_month", "data.expiration_year": "exp_year"}
# Brands that we name as Stripe does.
BRANDS = {"american-express": "amex", "diners-club": "diners"}
INVALID = (400, 422)
GONE = (404, 410)

logger = structlog.get_logger()


class BasisTheoryVault(Vault):
    """References are `token:id`, `apple_pay:id` or `google_pay:id`, as the proxy's expressions call the items."""

    name = "basis_theory"
    needs_decrypted = False

    def store_card(self, *, token_id: UUID, card: Card, now: datetime) -> VaultedInstrument:
        """Make a card token."""
        operation = Operation(basis_theory.send)
        answer = operation.call(
            name="tokens.create",
            method="POST",
            path="/tokens",
            idempotency_key=str(token_id),
            document={
                "type": "card",
                "data": {
                    "number": card.number,
                    "expiration_month": card.exp_month,
                    "expiration_year": card.exp_year,
                },
                "metadata": {"token_id": str(token_id)},
                "deduplicate_token": False,
            },
        )
        if not answer.is_success:
            _refuse_card(answer)
        item = read(answer)
        # A deduplicated answer may hold neither card nor data.
        return VaultedInstrument(
            ref=str(BasisTheoryReference("token", id_in(item))),
            brand=card.brand,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            fingerprint=_text(item, "fingerprint"),
        )

    def store_mobile(self, *, token_id: UUID, payload: MobilePayload, now: datetime) -> VaultedInstrument:
        """Hand the phone's token on as it is; a plain card number from Google is kept as a card token."""
        operation = Operation(basis_theory.send)
        if payload.scheme == "apple_pay":
            document = {"apple_payment_data": payload.payment_data}
            made = _kept(operation, "apple_pay", document, token_id)
            return _instrument("apple_pay", object_in(made, "apple_pay"))
        made = _kept(operation, "google_pay", {"google_payment_data": _google_token(payload)}, token_id)
        if "token_intent" in made:
            return _converted(operation, object_in(made, "token_intent"), token_id)
        return _instrument("google_pay", object_in(made, "google_pay"))

    def reveal_card(self, *, ref: str) -> Card:
        """Never: cards are charged by reference, through the proxy."""
        raise CardStaysInVault

    def is_usable(self, *, ref: str) -> bool:
        """Whether the item can be read, and was not unlinked."""
        reference = BasisTheoryReference.read(ref)
        answer = Operation(basis_theory.send).call(
            name=f"{reference.kind}.read", method="GET", path=f"{PATHS[reference.kind]}/{reference.id}"
        )
        if answer.status in GONE:
            return False
        if not answer.is_success:
            refused(answer)
        item = read(answer)
        if _text(object_in(item, "data"), "number").isdigit():
            logger.error("vault_key_may_reveal_numbers", vault=self.name)
        return _text(item, "status") in ("", "active")

    def destroy(self, *, ref: str) -> None:
        """Delete the item."""
        reference = BasisTheoryReference.read(ref)
        answer = Operation(basis_theory.send).call(
            name=f"{reference.kind}.delete", method="DELETE", path=f"{PATHS[reference.kind]}/{reference.id}"
        )
        if not answer.is_success and answer.status not in GONE:
            refused(answer)


def vault() -> BasisTheoryVault:
    """Make the vault that `TOKEN_VAULT=basis_theory` names. Raises ImproperlyConfigured without a key."""
    basis_theory.provider()
    return BasisTheoryVault()


def _kept(operation: Operation, kind: ItemKind, document: dict[str, Any], token_id: UUID) -> dict[str, Any]:
    answer = operation.call(
        name=f"{kind}.create",
        method="POST",
        path=PATHS[kind],
        idempotency_key=str(token_id),
        document=document,
    )
    if answer.status in INVALID:
        raise InvalidInput("The vault can't read this payment token.", field="payment_data")
    if not answer.is_success:
        refused(answer)
    return read(answer)


def _converted(operation: Operation, intent: dict[str, Any], token_id: UUID) -> VaultedInstrument:
    """Make a card token of an intent, which would be gone after a day."""
    item = operation.document(
        name="tokens.convert",
        method="POST",
        path="/tokens",
        idempotency_key=str(uuid5(token_id, "convert")),
        document={
            "token_intent_id": id_in(intent),
            "metadata": {"token_id": str(token_id)},
            "deduplicate_token": False,
        },
    )
    if not _expiry(item):
        item = operation.document(name="token.read", method="GET", path=f"/tokens/{id_in(item)}") | {
            "id": item["id"]
        }
    card = {**object_in(intent, "card"), **object_in(item, "card")}
    return _instrument("token", {"fingerprint": intent.get("fingerprint"), **item, "card": card})


def _instrument(kind: ItemKind, item: dict[str, Any]) -> VaultedInstrument:
    """Read what an item says of its card. Refuses with VaultFailed an item that says too little."""
    card, expiry = object_in(item, "card"), _expiry(item)
    brand, last4 = _text(card, "brand"), _text(card, "last4")
    if not expiry or len(last4) != 4 or not last4.isdecimal():
        raise VaultFailed
    return VaultedInstrument(
        ref=str(BasisTheoryReference(kind, id_in(item))),
        brand=BRANDS.get(brand, brand[:32] or "unknown"),
        last4=last4,
        exp_month=expiry[0],
        exp_year=expiry[1],
        fingerprint=_text(item, "fingerprint"),
    )


def _expiry(item: dict[str, Any]) -> tuple[int, int] | None:
    """Find month and year: the card's, the masked data's, or when the item itself ends, which is the card's end."""
    for part in (object_in(item, "card"), object_in(item, "data")):
        month, year = part.get("expiration_month"), part.get("expiration_year")
        if isinstance(month, int) and isinstance(year, int) and 1 <= month <= 12 and 1000 <= year <= 9999:
            return month, year
    try:
        ends = datetime.fromisoformat(_text(item, "expires_at"))
    except ValueError:
        return None
    return ends.month, ends.year


def _google_token(payload: MobilePayload) -> dict[str, Any]:
    """Read the token within Google's `PaymentData`, which is JSON in a string; parsed once."""
    data = object_in(object_in(payload.payment_data, "paymentMethodData"), "tokenizationData")
    try:
        token = orjson.loads(_text(data, "token"))
    except orjson.JSONDecodeError:
        token = None
    if not isinstance(token, dict):
        raise InvalidInput("There is no payment token in this payment data.", field="payment_data")
    return token


def _refuse_card(answer: ProviderAnswer) -> NoReturn:
    """Name the field that the vault finds invalid; its words may quote the number and are not passed on."""
    if answer.status in INVALID:
        for found in object_in(read(answer), "errors"):
            if found in FIELDS:
                raise InvalidInput("The vault finds this invalid.", field=FIELDS[found])
    refused(answer)


def _text(item: dict[str, Any], name: str) -> str:
    found = item.get(name)
    return found if isinstance(found, str) else ""

"""The vault at Stripe: a PaymentMethod for each card, attached to a Customer of its own.

A customer for each card, not for each person, keeps one token from reaching another's card, and lets all of it be
deleted together. Typed cards are set up for charges without the customer (SetupIntent, `usage=off_session`). A
phone's proof is good for one payment, so it is left for the first charge, which does the setting up.
"""

from contextlib import suppress
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

import orjson
import structlog

from tokens.cards import Card
from tokens.providers import stripe
from tokens.providers.calls import ProviderAnswer
from tokens.providers.stripe import StripeReference
from tokens.refusals import VaultFailed
from tokens.vaults.contract import CardStaysInVault, MobilePayload, Vault, VaultedInstrument
from tokens.vaults.provider_answers import Operation, id_in, object_in, read, refused
from transactions.refusals import InvalidInput

FIELDS = {"number": "number", "exp_month": "exp_month", "exp_year": "exp_year"}
EXPIRED_CODES = frozenset({"expired_card", "invalid_expiry_month", "invalid_expiry_year"})

logger = structlog.get_logger()


class StripeVault(Vault):
    """References are `customer/payment_method`."""

    name = "stripe"
    needs_decrypted = False

    def store_card(self, *, token_id: UUID, card: Card, now: datetime) -> VaultedInstrument:
        """Make a PaymentMethod and set it up for later charges. Stripe must allow the account raw card data."""
        operation = Operation(stripe.send)
        params = {"number": card.number, "exp_month": card.exp_month, "exp_year": card.exp_year}
        method = _payment_method(operation, token_id, params, field="number")
        customer = _customer(operation, token_id)
        try:
            _set_up(operation, token_id, StripeReference(customer, id_in(method)))
        except (InvalidInput, VaultFailed):
            with suppress(VaultFailed):
                _delete_customer(operation, customer)
            raise
        return _instrument(customer, method)

    def store_mobile(self, *, token_id: UUID, payload: MobilePayload, now: datetime) -> VaultedInstrument:
        """Make a PaymentMethod of a phone's token and attach it; Apple's must be encrypted to Stripe's certificate."""
        operation = Operation(stripe.send)
        if payload.scheme == "apple_pay":
            stripe_token = _token_of_apple(operation, token_id, payload.payment_data)
        else:
            stripe_token = _token_of_google(payload.payment_data)
        method = _payment_method(operation, token_id, {"token": stripe_token}, field="payment_data")
        customer = _customer(operation, token_id)
        try:
            _attach(operation, token_id, StripeReference(customer, id_in(method)), field="payment_data")
        except (InvalidInput, VaultFailed):
            with suppress(VaultFailed):
                _delete_customer(operation, customer)
            raise
        return _instrument(customer, method)

    def reveal_card(self, *, ref: str) -> Card:
        """Never: Stripe charges by reference."""
        raise CardStaysInVault

    def is_usable(self, *, ref: str) -> bool:
        """Whether the PaymentMethod is there and still attached to its customer."""
        reference = StripeReference.read(ref)
        return _is_attached(Operation(stripe.send), reference)

    def destroy(self, *, ref: str) -> None:
        """Detach the PaymentMethod, for ever, and delete its customer."""
        reference = StripeReference.read(ref)
        operation = Operation(stripe.send)
        answer = operation.call(
            name="payment_methods.detach",
            method="POST",
            path=f"/v1/payment_methods/{reference.payment_method}/detach",
        )
        # Detaching what is detached is a 400, which may have other reasons too.
        if not answer.is_success and answer.status != 404 and _is_attached(operation, reference):
            refused(answer)
        _delete_customer(operation, reference.customer)


def vault() -> StripeVault:
    """Make the vault that `TOKEN_VAULT=stripe` names. Raises ImproperlyConfigured without a key."""
    stripe.provider()
    return StripeVault()


def _payment_method(
    operation: Operation, token_id: UUID, card: dict[str, Any], *, field: str
) -> dict[str, Any]:
    answer = operation.call(
        name="payment_methods.create",
        method="POST",
        path="/v1/payment_methods",
        params={"type": "card", "card": card, "metadata": {"token_id": str(token_id)}},
        idempotency_key=f"{token_id}-payment-method",
    )
    if not answer.is_success:
        _refuse_card(answer, field=field)
    return read(answer)


def _customer(operation: Operation, token_id: UUID) -> str:
    made = operation.document(
        name="customers.create",
        method="POST",
        path="/v1/customers",
        params={"metadata": {"token_id": str(token_id)}},
        idempotency_key=f"{token_id}-customer",
    )
    return id_in(made)


def _set_up(operation: Operation, token_id: UUID, reference: StripeReference) -> None:
    """Set a card up for charges without the customer, which attaches it too.

    A bank that wants the customer's confirmation first leaves it attached and not set up: it can be charged while
    the customer is there.
    """
    answer = operation.call(
        name="setup_intents.create",
        method="POST",
        path="/v1/setup_intents",
        params={
            "customer": reference.customer,
            "payment_method": reference.payment_method,
            "payment_method_types": ["card"],
            "usage": "off_session",
            "confirm": True,
        },
        idempotency_key=f"{token_id}-setup",
    )
    if not answer.is_success:
        _refuse_card(answer, field="number")
    if read(answer).get("status") != "succeeded":
        logger.info("card_not_set_up", vault=StripeVault.name, token_id=str(token_id))
        _attach(operation, token_id, reference, field="number")


def _attach(operation: Operation, token_id: UUID, reference: StripeReference, *, field: str) -> None:
    answer = operation.call(
        name="payment_methods.attach",
        method="POST",
        path=f"/v1/payment_methods/{reference.payment_method}/attach",
        params={"customer": reference.customer},
        idempotency_key=f"{token_id}-attach",
    )
    if not answer.is_success:
        _refuse_card(answer, field=field)


def _is_attached(operation: Operation, reference: StripeReference) -> bool:
    answer = operation.call(
        name="payment_methods.read", method="GET", path=f"/v1/payment_methods/{reference.payment_method}"
    )
    if answer.status == 404:
        return False
    if not answer.is_success:
        refused(answer)
    return read(answer).get("customer") == reference.customer


def _delete_customer(operation: Operation, customer: str) -> None:
    answer = operation.call(name="customers.delete", method="DELETE", path=f"/v1/customers/{customer}")
    if not answer.is_success and answer.status != 404:
        refused(answer)


def _token_of_apple(operation: Operation, token_id: UUID, payment_data: dict[str, Any]) -> str:
    """Let Stripe open an Apple Pay token. Source: the parameters that Stripe's iOS SDK sends."""
    method = object_in(payment_data, "paymentMethod")
    answer = operation.call(
        name="tokens.create",
        method="POST",
        path="/v1/tokens",
        params={
            "pk_token": orjson.dumps(object_in(payment_data, "paymentData")).decode(),
            "pk_token_instrument_name": method.get("displayName"),
            "pk_token_payment_network": method.get("network"),
            "pk_token_transaction_id": payment_data.get("transactionIdentifier"),
        },
        idempotency_key=f"{token_id}-token",
    )
    if not answer.is_success:
        _refuse_card(answer, field="payment_data")
    return id_in(read(answer))


def _token_of_google(payment_data: dict[str, Any]) -> str:
    """Find the token that Google got from Stripe (gateway `stripe`): JSON in a string, with its id."""
    data = object_in(object_in(payment_data, "paymentMethodData"), "tokenizationData")
    try:
        return id_in(orjson.loads(data.get("token") or ""))
    except (orjson.JSONDecodeError, AttributeError, VaultFailed):
        raise InvalidInput(
            "There is no token of Stripe in this payment data.", field="payment_data"
        ) from None


def _instrument(customer: str, method: dict[str, Any]) -> VaultedInstrument:
    """Read what a PaymentMethod says of its card. Refuses with VaultFailed one that says too little."""
    card = object_in(method, "card")
    last4, month, year = card.get("last4"), card.get("exp_month"), card.get("exp_year")
    if not (isinstance(last4, str) and len(last4) == 4 and last4.isdecimal()):
        raise VaultFailed
    if not (isinstance(month, int) and isinstance(year, int)):
        raise VaultFailed
    brand, fingerprint = card.get("brand"), card.get("fingerprint")
    return VaultedInstrument(
        ref=str(StripeReference(customer, id_in(method))),
        brand=brand[:32] if isinstance(brand, str) and brand else "unknown",
        last4=last4,
        exp_month=month,
        exp_year=year,
        fingerprint=fingerprint if isinstance(fingerprint, str) else "",
    )


def _refuse_card(answer: ProviderAnswer, *, field: str) -> NoReturn:
    """Name the field that Stripe or the card's bank refuses, or refuse as `refused` does.

    `field` is the one to name when Stripe names none. What Stripe says may quote the number and is not passed on.
    """
    error = stripe.error_of(answer)
    is_about_the_card = answer.status == 402 or error.type == "card_error"
    if is_about_the_card or (answer.status == 400 and field == "payment_data"):
        if field != "payment_data":
            field = "exp_year" if error.code in EXPIRED_CODES else FIELDS.get(error.param, field)
        raise InvalidInput("The card was refused by the vault or its bank.", field=field)
    refused(answer)

"""What a card is called in the parameters of a PaymentIntent: a saved one, a number, or the number of a phone.

A phone's number goes as a network token, with the proof of this one payment where there is one. Stripe must allow
the account raw card data, and network tokens. Source: Stripe's API reference; Basis Theory's guide to its proxy.
"""

from typing import Any

from payments.processors.contract import ChargeRequest
from payments.refusals import ProcessorFailed
from tokens.outbound import CardForCharge, ReferenceForCharge
from tokens.providers.stripe import StripeReference


def source_params(request: ChargeRequest) -> dict[str, Any]:
    """Give the parameters for the request's source. Refuses with ProcessorFailed one of another vault."""
    source = request.source
    if isinstance(source, CardForCharge):
        return card_params(source)
    if source.provider != "stripe":
        raise ProcessorFailed("Stripe knows no cards of this vault. Nothing was charged.")
    return _saved_params(source, request)


def card_params(card: CardForCharge) -> dict[str, Any]:
    """Give the parameters for a number; Apple's are always those of a device, Google's where a proof came along."""
    number = {"number": card.number, "exp_month": card.exp_month, "exp_year": card.exp_year}
    if card.scheme == "apple_pay" or card.cryptogram:
        return network_token_params(
            number, method=card.scheme or "apple_pay", cryptogram=card.cryptogram, eci=card.eci
        )
    return {"payment_method_data": {"type": "card", "card": number}}


def network_token_params(number: dict[str, Any], *, method: str, cryptogram: str, eci: str) -> dict[str, Any]:
    """Give the parameters for a device's number; without a cryptogram it is a later charge of a saved one."""
    params: dict[str, Any] = {
        "payment_method_data": {
            "type": "card",
            "card": {"network_token": {**number, "tokenization_method": method}},
        }
    }
    if cryptogram:
        proof = {"cryptogram": cryptogram, "electronic_commerce_indicator": eci or None}
        params["payment_method_options"] = {"card": {"network_token": proof}}
    return params


def _saved_params(source: ReferenceForCharge, request: ChargeRequest) -> dict[str, Any]:
    try:
        saved = StripeReference.read(source.ref)
    except ValueError:
        raise ProcessorFailed("The vault's reference can't be read. Nothing was charged.") from None
    params: dict[str, Any] = {"customer": saved.customer, "payment_method": saved.payment_method}
    if request.is_first_charge and not request.is_off_session:
        # A phone's card, and one whose bank wanted its customer there, is set up by the first charge.
        params["setup_future_usage"] = "off_session"
    return params

"""Stripe behind Basis Theory's proxy: the card's number is put in on the way, and never comes to us.

Only the charge goes through the proxy, which reads the card by an expression; everything else is asked of Stripe
directly. The proxy has no idempotency of its own, so that Stripe's key goes along. An answer that Stripe gave
carries its status in a header; without it the proxy itself speaks, and its 408 says that Stripe may still have
charged. Source: Basis Theory's documentation of its ephemeral proxy.
"""

import re
from dataclasses import replace
from typing import Any, ClassVar

import structlog
from django.conf import settings

from payments.processors.contract import ChargeBy, ChargeOutcome, ChargeRequest, Unknown
from payments.processors.stripe import StripeProcessor
from payments.processors.stripe_answers import charge_outcome
from payments.processors.stripe_sources import network_token_params
from payments.refusals import ProcessorFailed, ProcessorUnavailable
from tokens.outbound import ReferenceForCharge
from tokens.providers import basis_theory, stripe
from tokens.providers.basis_theory import BasisTheoryReference
from tokens.providers.calls import Call, Limits, ProviderAnswer

SPOKEN_BY_STRIPE = "bt-proxy-destination-status"

SENDING = Limits(connect_s=5.0, read_s=30.0, total_s=42.0, attempts=3)
"""The proxy waits 25 seconds for Stripe; whoever waits less never hears its 408."""

logger = structlog.get_logger()


class BasisTheoryProxyProcessor(StripeProcessor):
    """Charges what Basis Theory's vault keeps."""

    name: ClassVar[str] = "basis_theory_proxy"

    def charge_by(self, *, vault: str) -> ChargeBy:
        """Take Basis Theory's items alone: a number that has come to us needs no proxy."""
        if vault != "basis_theory":
            raise ProcessorFailed("The proxy charges cards of Basis Theory alone. Nothing was charged.")
        return ChargeBy.REFERENCE

    def charge(self, request: ChargeRequest) -> ChargeOutcome:
        """Make a PaymentIntent and confirm it, with an expression in the place of the number."""
        params = {**self._intent_params(request), **expression_params(request)}
        answer = self._sent("proxy.payment_intents.create", "/v1/payment_intents", params, key=request.key)
        if isinstance(answer, Unknown):
            return answer
        return charge_outcome(answer) if SPOKEN_BY_STRIPE in answer.headers else _of_the_proxy(answer)

    def _post(self, name: str, path: str, params: dict[str, Any], *, key: str) -> ProviderAnswer:
        if not name.startswith("proxy."):
            return super()._post(name, path, params, key=key)
        headers = {
            **basis_theory.trace_headers(),
            **stripe.provider().headers,
            "BT-PROXY-URL": settings.STRIPE_API_BASE + path,
            "Idempotency-Key": key,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = stripe.form_encoded(params).encode()
        call = Call(name=name, method="POST", path="/proxy", headers=headers, body=body)
        provider = replace(basis_theory.provider(), is_retried=_is_retried)
        return provider.send(call, limits=SENDING)


def expression_params(request: ChargeRequest) -> dict[str, Any]:
    """Give the parameters that the proxy fills in: a card token's number, or a phone's with its proof.

    Refuses with ProcessorFailed another vault's card. Nothing that a person wrote stands beside the expressions.
    """
    source = request.source
    if not isinstance(source, ReferenceForCharge) or source.provider != "basis_theory":
        raise ProcessorFailed("The proxy charges cards of Basis Theory alone. Nothing was charged.")
    try:
        item = BasisTheoryReference.read(source.ref)
    except ValueError:
        raise ProcessorFailed("The vault's reference can't be read. Nothing was charged.") from None
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", item.id):
        raise ProcessorFailed("The vault's reference can't stand in an expression. Nothing was charged.")
    named = f"{item.kind}: {item.id}"
    number = {
        "number": f"{{{{ {named} | json: '$.data.number' }}}}",
        "exp_month": f"{{{{ {named} | json: '$.data' | card_exp: 'MM' }}}}",
        "exp_year": f"{{{{ {named} | json: '$.data' | card_exp: 'YYYY' }}}}",
    }
    if item.kind == "token":
        return {"payment_method_data": {"type": "card", "card": number}}
    # A phone proves one payment: the first one.
    has_proof = request.is_first_charge and not request.is_off_session
    return network_token_params(
        number,
        method=item.kind,
        cryptogram=f"{{{{ {named} | json: '$.authentication.threeds_cryptogram' }}}}" if has_proof else "",
        eci=f"{{{{ {named} | json: '$.authentication.eci_indicator' | pad_left: 2, '0' }}}}",
    )


def _is_retried(answer: ProviderAnswer) -> bool:
    if SPOKEN_BY_STRIPE in answer.headers:
        return stripe.is_retried(answer)
    return basis_theory.is_retried(answer)


def _of_the_proxy(answer: ProviderAnswer) -> ChargeOutcome:
    """Tell what it means that the proxy speaks for itself: it never called Stripe, or nobody knows."""
    if answer.follows_silence or answer.is_success or answer.status in (408, 409) or answer.status >= 500:
        return Unknown(reason=f"proxy_{answer.status}")
    if answer.status == 429:
        raise ProcessorUnavailable
    logger.error("proxy_refuses_requests", status=answer.status)
    raise ProcessorFailed


def processor() -> BasisTheoryProxyProcessor:
    """Make the processor that `PAYMENT_PROCESSOR=basis_theory_proxy` names.

    Raises ImproperlyConfigured without the keys of both.
    """
    stripe.provider()
    basis_theory.provider()
    return BasisTheoryProxyProcessor()

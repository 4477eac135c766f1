"""The processors under contract, each with its provider: a real HTTP server on this machine, or tables of ours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import LazySettings
from uuid_utils.compat import uuid7

from payments.models import SandboxCharge, SandboxRefund
from payments.processors import basis_theory_proxy, stripe
from payments.processors.contract import Processor, Source
from payments.processors.sandbox import SandboxProcessor
from tests.contracts import fake_basis_theory, fake_stripe
from tests.contracts.fake_provider import FakeProvider
from tests.contracts.fake_proxy import FakeProxy
from tests.contracts.fake_stripe_charges import FakeStripeCharges
from tests.contracts.http_processor import HttpProcessor
from tests.contracts.provider_server import ProviderServer
from tokens.outbound import CardForCharge, ReferenceForCharge
from tokens.providers.calls import Limits

SUCCEEDS = "4242424242424242"
TIMES_OUT = "4000000000000119"
QUICK = Limits(connect_s=0.5, read_s=0.4, total_s=5.0, attempts=1)


def card(number: str = SUCCEEDS, **fields: Any) -> CardForCharge:
    return CardForCharge(
        token_id=uuid7(), brand="visa", number=number, exp_month=12, exp_year=2040, holder="", **fields
    )


def nothing(*_arguments: Any) -> None:
    """Do nothing."""


@dataclass
class World:
    """A processor, what its provider's books say by our keys, and what can be made to go wrong there.

    `source` gives the card with a number as this processor takes it. `fail` breaks the next charge or refund,
    `fail_reading` the next look at the books. `let_time_out` makes the next charge time out after its effect, and
    gives the number to charge.
    """

    processor: Processor
    charged: Callable[[str], int]
    refunded: Callable[[str], int]
    source: Callable[[str], Source] = card
    let_time_out: Callable[[], str] = lambda: TIMES_OUT
    fail: Callable[..., None] = nothing
    fail_reading: Callable[..., None] = nothing
    stop: Callable[[], None] = nothing
    stripe: FakeStripeCharges = field(default_factory=FakeStripeCharges)
    proxy: FakeProxy = field(default_factory=FakeProxy)


def sandbox(_settings: LazySettings, _patch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two tables of ours."""

    def charged(key: str) -> int:
        return sum(c.amount for c in SandboxCharge.objects.filter(key=key, status="succeeded"))

    def refunded(key: str) -> int:
        return sum(r.amount for r in SandboxRefund.objects.filter(key=key))

    yield World(SandboxProcessor(), charged, refunded)


def http_fake(_settings: LazySettings, _patch: pytest.MonkeyPatch) -> Iterator[World]:
    """The smallest adapter over HTTP."""
    provider = FakeProvider()
    HttpProcessor.url = provider.url

    def charged(key: str) -> int:
        charge = provider.books.charges.get(key)
        return charge["amount"] if charge and charge["status"] == "succeeded" else 0

    def refunded(key: str) -> int:
        refund = provider.books.refunds.get(key)
        return refund["amount"] if refund else 0

    def fail(failure: str) -> None:
        provider.books.next_failure = failure

    yield World(HttpProcessor(), charged, refunded, fail=fail, fail_reading=fail, stop=provider.stop)
    provider.stop()


def stripe_by_number(settings: LazySettings, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """Stripe, with card numbers of a vault that gives them."""
    api, server = _stripe(settings, patch)
    yield _stripe_world(api, server)
    server.stop()


def stripe_by_reference(settings: LazySettings, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """Stripe, with cards of its own vault."""
    api, server = _stripe(settings, patch)

    def source(number: str) -> ReferenceForCharge:
        customer = api.made("customer", "cus", metadata={})
        method = api.made("payment_method", "pm", customer=customer["id"], card={}, is_set_up=True)
        api.numbers[method["id"]] = number
        ref = f"{customer['id']}/{method['id']}"
        return ReferenceForCharge(token_id=uuid7(), provider="stripe", ref=ref)

    world = _stripe_world(api, server)
    world.source = source
    yield world
    server.stop()


def basis_theory_proxied(settings: LazySettings, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """Stripe behind Basis Theory's proxy, with cards of that vault; what fails is the proxy."""
    api, server = _stripe(settings, patch)
    proxy = FakeProxy()
    proxy_server = ProviderServer(proxy)
    settings.BASIS_THEORY_API_KEY = fake_basis_theory.KEY
    settings.BASIS_THEORY_API_BASE = proxy_server.url
    patch.setattr(basis_theory_proxy, "SENDING", QUICK)

    def source(number: str) -> ReferenceForCharge:
        item = proxy.create_token(
            {"data": {"number": number, "expiration_month": 12, "expiration_year": 2030}}
        )
        return ReferenceForCharge(token_id=uuid7(), provider="basis_theory", ref=f"token:{item['id']}")

    def fail(*failures: str) -> None:
        # Refunds go to Stripe itself: whichever of the two is asked next breaks.
        proxy.fail_next(*failures)

    def let_time_out() -> str:
        proxy.fail_next("timeout_after")
        return SUCCEEDS

    def stop() -> None:
        server.stop()
        proxy_server.stop()

    world = _stripe_world(api, server)
    world.processor = basis_theory_proxy.processor()
    world.source, world.fail, world.let_time_out, world.proxy = source, fail, let_time_out, proxy
    world.stop = stop
    yield world
    stop()


def _stripe(settings: LazySettings, patch: pytest.MonkeyPatch) -> tuple[FakeStripeCharges, ProviderServer]:
    api = FakeStripeCharges()
    server = ProviderServer(api)
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = fake_stripe.KEY, server.url
    patch.setattr(stripe, "SENDING", QUICK)
    patch.setattr(stripe, "READING", QUICK)
    return api, server


def _stripe_world(api: FakeStripeCharges, server: ProviderServer) -> World:
    def let_time_out() -> str:
        api.fail_next("timeout_after")
        return SUCCEEDS

    return World(
        stripe.processor(),
        api.charged,
        api.refunded,
        let_time_out=let_time_out,
        fail=api.fail_next,
        fail_reading=api.fail_next,
        stop=server.stop,
        stripe=api,
    )


Maker = Callable[[LazySettings, pytest.MonkeyPatch], Iterator[World]]
WORLDS: list[Maker] = [sandbox, http_fake, stripe_by_number, stripe_by_reference, basis_theory_proxied]
HTTP_WORLDS = WORLDS[1:]
STRIPE_WORLDS = WORLDS[2:]

"""What only the sandbox's processor does: look at the expiry, and refuse to make money in earnest."""

import pytest
from uuid_utils.compat import uuid7

from payments.models import SandboxCharge
from payments.processors import calls
from payments.processors.contract import ChargeRequest, Declined
from payments.processors.sandbox import SandboxProcessor
from payments.refusals import ProcessorFailed
from tests.contracts.processor_worlds import SUCCEEDS, card
from tokens.outbound import CardForCharge
from transactions.money import Money


def asked(source: CardForCharge) -> ChargeRequest:
    return ChargeRequest(key=f"payment-{uuid7()}", amount=Money(2500, "USD"), source=source)


def test_when_the_card_has_expired_then_the_sandbox_declines_it(committed):
    expired = CardForCharge(
        token_id=uuid7(), brand="visa", number=SUCCEEDS, exp_month=1, exp_year=2020, holder=""
    )

    outcome = calls.charge(SandboxProcessor(), asked(expired))

    assert isinstance(outcome, Declined)
    assert outcome.decline_code == "expired_card"


def test_when_the_installation_is_for_production_then_the_sandbox_makes_no_money(committed, settings):
    settings.SANDBOX = False
    request = asked(card())

    with pytest.raises(ProcessorFailed):
        calls.charge(SandboxProcessor(), request)

    assert SandboxCharge.objects.filter(key=request.key).exists() is False

"""What every processor does, one suite for all: an adapter adds a world to `WORLDS` and nothing else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from payments.processors import calls
from payments.processors.circuit_breaker import FAILURES_TO_OPEN
from payments.processors.contract import (
    ChargeRequest,
    Declined,
    NotFound,
    RefundRequest,
    RetryClass,
    Succeeded,
    Unknown,
)
from payments.processors.registry import processor_in_use, processor_of
from payments.processors.sandbox import SandboxProcessor
from payments.refusals import ProcessorFailed, ProcessorUnavailable
from tests.contracts.http_processor import HttpProcessor
from tests.contracts.processor_worlds import HTTP_WORLDS, SUCCEEDS, WORLDS, World
from tokens.outbound import ReferenceForCharge
from transactions.money import Money

REFUND_FAILS = "4000000000005126"


@pytest.fixture(params=WORLDS, ids=lambda make: make.__name__)
def world(request, committed, settings, monkeypatch) -> Iterator[World]:
    yield from request.param(settings, monkeypatch)


@pytest.fixture(params=HTTP_WORLDS, ids=lambda make: make.__name__)
def http_world(request, committed, settings, monkeypatch) -> Iterator[World]:
    yield from request.param(settings, monkeypatch)


def asked(
    world: World, number: str = SUCCEEDS, *, amount: int = 2500, currency: str = "USD", **changes: Any
) -> ChargeRequest:
    named = {"key": f"payment-{uuid7()}", **changes}
    named.setdefault("source", world.source(number))
    return ChargeRequest(amount=Money(amount, currency), **named)


def refund_of(charge: Succeeded, amount: int, **changes: Any) -> RefundRequest:
    named = {"key": f"refund-{uuid7()}", "charge_reference": charge.reference, **changes}
    return RefundRequest(amount=Money(amount, charge.amount.currency), reason="customer_request", **named)


@pytest.mark.parametrize(("amount", "currency"), [(2500, "USD"), (1, "JPY"), (1010, "KWD")])
def test_when_a_card_is_charged_then_the_provider_has_that_amount(world, amount, currency):
    request = asked(world, amount=amount, currency=currency)

    outcome = calls.charge(world.processor, request)

    assert isinstance(outcome, Succeeded)
    assert outcome.amount == Money(amount, currency)
    assert outcome.reference != ""
    assert world.charged(request.key) == amount
    assert calls.find_charge(world.processor, key=request.key) == outcome


@pytest.mark.parametrize(
    ("number", "code", "retry"),
    [
        ("4000000000000002", "generic_decline", RetryClass.ASK_CUSTOMER),
        ("4000000000009995", "insufficient_funds", RetryClass.LATER),
        ("4000000000000341", "generic_decline", RetryClass.ASK_CUSTOMER),
    ],
)
def test_when_it_is_declined_then_nothing_is_charged_and_asking_says_the_same(world, number, code, retry):
    request = asked(world, number)

    outcome = calls.charge(world.processor, request)

    assert isinstance(outcome, Declined)
    assert (outcome.decline_code, outcome.retry) == (code, retry)
    assert calls.find_charge(world.processor, key=request.key) == outcome
    assert calls.charge(world.processor, request) == outcome
    assert world.charged(request.key) == 0


def test_when_a_key_is_repeated_then_it_is_one_charge(world):
    request = asked(world)

    outcomes = [calls.charge(world.processor, request) for _ in range(3)]

    assert isinstance(outcomes[0], Succeeded)
    assert outcomes == [outcomes[0]] * 3
    assert world.charged(request.key) == 2500


def test_when_a_key_is_repeated_with_another_amount_then_it_is_refused_and_not_charged(world):
    request = asked(world)
    calls.charge(world.processor, request)

    with pytest.raises(ProcessorFailed):
        calls.charge(world.processor, asked(world, amount=2600, key=request.key))

    assert world.charged(request.key) == 2500


def test_when_it_times_out_after_charging_then_it_is_unknown_until_asked_for(world):
    request = asked(world, world.let_time_out())

    outcome = calls.charge(world.processor, request)

    assert isinstance(outcome, Unknown)
    assert world.charged(request.key) == 2500
    found = calls.find_charge(world.processor, key=request.key)
    assert isinstance(found, Succeeded)
    assert found.amount == Money(2500, "USD")


def test_when_a_key_is_unknown_then_no_charge_is_found(world):
    assert calls.find_charge(world.processor, key=f"payment-{uuid7()}") == NotFound()
    assert calls.find_refund(world.processor, key=f"refund-{uuid7()}") == NotFound()


def test_when_calls_with_one_key_race_then_it_is_one_charge(world):
    request = asked(world)
    start = Barrier(8)

    def race(_racer: int) -> Any:
        try:
            start.wait(timeout=10)
            return calls.charge(world.processor, request)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as racers:
        outcomes = list(racers.map(race, range(8)))

    found = calls.find_charge(world.processor, key=request.key)
    assert {outcome for outcome in outcomes if isinstance(outcome, Succeeded)} == {found}
    assert world.charged(request.key) == 2500


@pytest.mark.parametrize("call", ["charge", "find_charge", "refund", "find_refund"])
def test_when_called_inside_a_database_transaction_then_nothing_is_sent(world, call):
    charged = calls.charge(world.processor, asked(world))
    assert isinstance(charged, Succeeded)
    request, refund = asked(world), refund_of(charged, 100)
    send = {
        "charge": lambda: calls.charge(world.processor, request),
        "find_charge": lambda: calls.find_charge(world.processor, key=request.key),
        "refund": lambda: calls.refund(world.processor, refund),
        "find_refund": lambda: calls.find_refund(world.processor, key=refund.key),
    }[call]

    with pytest.raises(calls.CalledInsideTransaction), transaction.atomic():
        send()

    assert (world.charged(request.key), world.refunded(refund.key)) == (0, 0)


def test_when_the_vaults_reference_is_given_to_one_that_charges_by_card_then_it_is_refused(world):
    reference = ReferenceForCharge(token_id=uuid7(), provider="elsewhere", ref="tok_1")
    request = asked(world, source=reference)

    with pytest.raises(ProcessorFailed):
        calls.charge(world.processor, request)

    assert world.charged(request.key) == 0


def test_when_parts_are_refunded_then_never_more_than_was_charged(world):
    charge = calls.charge(world.processor, asked(world))
    assert isinstance(charge, Succeeded)
    first, second, third = (refund_of(charge, amount) for amount in (1000, 1500, 1))

    outcomes = [calls.refund(world.processor, request) for request in (first, second, third)]

    assert isinstance(outcomes[0], Succeeded)
    assert isinstance(outcomes[1], Succeeded)
    assert isinstance(outcomes[2], Declined)
    assert outcomes[0].amount == Money(1000, "USD")
    assert [world.refunded(request.key) for request in (first, second, third)] == [1000, 1500, 0]


def test_when_a_refunds_key_is_repeated_then_it_is_one_refund(world):
    charge = calls.charge(world.processor, asked(world))
    assert isinstance(charge, Succeeded)
    request = refund_of(charge, 1000)

    outcomes = [calls.refund(world.processor, request) for _ in range(3)]

    assert outcomes == [outcomes[0]] * 3
    assert calls.find_refund(world.processor, key=request.key) == outcomes[0]
    with pytest.raises(ProcessorFailed):
        calls.refund(world.processor, refund_of(charge, 900, key=request.key))
    assert world.refunded(request.key) == 1000


def test_when_a_refund_fails_at_the_bank_later_then_asking_finds_it_declined(world):
    charge = calls.charge(world.processor, asked(world, REFUND_FAILS))
    assert isinstance(charge, Succeeded)
    request = refund_of(charge, 1000)

    first = calls.refund(world.processor, request)
    later = calls.find_refund(world.processor, key=request.key)

    assert isinstance(first, Succeeded)
    assert isinstance(later, Declined)
    assert later.decline_code == "expired_or_canceled_card"


def test_when_the_charge_is_unknown_then_nothing_is_refunded(world):
    stranger = Succeeded(reference=str(uuid7()), amount=Money(2500, "USD"))
    request = refund_of(stranger, 100)

    with pytest.raises(ProcessorFailed):
        calls.refund(world.processor, request)

    assert world.refunded(request.key) == 0


def test_when_a_request_is_printed_then_the_card_number_is_hidden(world):
    assert SUCCEEDS not in repr(asked(world))


def test_when_it_describes_itself_then_name_and_lateness_can_be_relied_on(world):
    assert world.processor.name != ""
    assert world.processor.late_for_s >= 0


@pytest.mark.parametrize("failure", ["timeout", "reset", "error", "garbage"])
@pytest.mark.parametrize(("moment", "charged"), [("before", 0), ("after", 2500)])
def test_when_the_wire_fails_then_the_outcome_is_unknown_and_asking_tells_the_truth(
    http_world, failure, moment, charged
):
    request = asked(http_world)
    http_world.fail(f"{failure}_{moment}")

    outcome = calls.charge(http_world.processor, request)

    assert isinstance(outcome, Unknown)
    assert http_world.charged(request.key) == charged
    found = calls.find_charge(http_world.processor, key=request.key)
    assert isinstance(found, Succeeded if charged else NotFound)


def test_when_the_provider_is_busy_then_it_is_refused_and_nothing_is_charged(http_world):
    request = asked(http_world)
    http_world.fail("busy_before")

    with pytest.raises(ProcessorUnavailable):
        calls.charge(http_world.processor, request)

    assert http_world.charged(request.key) == 0


def test_when_nobody_listens_then_it_is_refused_and_asking_leaves_it_unknown(http_world):
    http_world.stop()
    request = asked(http_world)

    with pytest.raises(ProcessorUnavailable):
        calls.charge(http_world.processor, request)

    assert isinstance(calls.find_charge(http_world.processor, key=request.key), Unknown)


def test_when_asking_fails_then_the_charge_is_unknown_rather_than_missing(http_world):
    request = asked(http_world)
    calls.charge(http_world.processor, request)
    http_world.fail_reading("error_before")

    assert isinstance(calls.find_charge(http_world.processor, key=request.key), Unknown)


def test_when_a_processor_is_named_by_a_dotted_path_then_it_is_in_use(settings):
    settings.PAYMENT_PROCESSOR = "tests.contracts.http_processor.HttpProcessor"

    assert isinstance(processor_in_use(), HttpProcessor)
    assert isinstance(processor_of("http_fake"), HttpProcessor)
    assert isinstance(processor_of("sandbox"), SandboxProcessor)


@pytest.mark.parametrize("name", ["nobody", "no.such.path", "payments.models", "os.getcwd", "../sandbox"])
def test_when_the_setting_names_no_processor_then_the_boot_stops_and_names_it(settings, name):
    settings.PAYMENT_PROCESSOR = name

    with pytest.raises(ImproperlyConfigured, match="PAYMENT_PROCESSOR"):
        processor_in_use()


def test_when_a_provider_fails_most_calls_then_the_next_is_not_sent_and_nothing_is_charged(http_world):
    for _ in range(FAILURES_TO_OPEN):
        http_world.fail("error_before")
        calls.charge(http_world.processor, asked(http_world))
    request = asked(http_world)

    with pytest.raises(ProcessorUnavailable):
        calls.charge(http_world.processor, request)

    assert http_world.charged(request.key) == 0
    assert isinstance(calls.find_charge(http_world.processor, key=request.key), Unknown)


def test_when_the_provider_declines_most_cards_then_it_is_well_and_goes_on(http_world):
    for _ in range(FAILURES_TO_OPEN):
        calls.charge(http_world.processor, asked(http_world, "4000000000000002"))

    assert isinstance(calls.charge(http_world.processor, asked(http_world)), Succeeded)

"""The way to a processor: never inside a database transaction, and never an exception where money may have moved."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import connection

from payments.processors.circuit_breaker import breaker_of
from payments.processors.contract import (
    ChargeOutcome,
    ChargeRequest,
    DisputeFacts,
    NotFound,
    Processor,
    RefundOutcome,
    RefundRequest,
    Unknown,
)
from payments.refusals import ProcessorFailed, ProcessorTimeout, ProcessorUnavailable

logger = structlog.get_logger()

Outcome = TypeVar("Outcome")


class CalledInsideTransaction(AssertionError):
    """A processor was called while a database transaction held locks: a bug, nothing was sent."""


def charge(processor: Processor, request: ChargeRequest) -> ChargeOutcome:
    """Charge a card. Refuses with ProcessorFailed and its kinds where nothing can have been charged."""
    return _called(processor, "charge", request.key, lambda: processor.charge(request))


def find_charge(processor: Processor, *, key: str, reference: str = "") -> ChargeOutcome | NotFound:
    """Ask what became of a charge; a processor that can't be asked leaves it Unknown."""
    return _asked(processor, "find_charge", key, lambda: processor.find_charge(key=key, reference=reference))


def cancel_charge(processor: Processor, *, key: str, reference: str) -> ChargeOutcome | NotFound:
    """Give up a charge that waits for the customer; a processor that can't be asked leaves it Unknown."""
    return _asked(
        processor, "cancel_charge", key, lambda: processor.cancel_charge(key=key, reference=reference)
    )


def refund(processor: Processor, request: RefundRequest) -> RefundOutcome:
    """Refund a charge. Refuses with ProcessorFailed and its kinds where nothing can have moved."""
    return _called(processor, "refund", request.key, lambda: processor.refund(request))


def find_refund(
    processor: Processor, *, key: str, reference: str = "", charge_reference: str = ""
) -> RefundOutcome | NotFound:
    """Ask what became of a refund; a processor that can't be asked leaves it Unknown."""
    return _asked(
        processor,
        "find_refund",
        key,
        lambda: processor.find_refund(key=key, reference=reference, charge_reference=charge_reference),
    )


def find_dispute(processor: Processor, *, reference: str) -> DisputeFacts | NotFound | Unknown:
    """Ask how a dispute stands; a processor that can't be asked leaves it Unknown."""
    return _asked(processor, "find_dispute", reference, lambda: processor.find_dispute(reference=reference))


def _asked(processor: Processor, name: str, key: str, call: Callable[[], Outcome]) -> Outcome | Unknown:
    try:
        return _called(processor, name, key, call)
    except ProcessorFailed as failure:
        return Unknown(reason=failure.code)


def _called(processor: Processor, name: str, key: str, call: Callable[[], Outcome]) -> Outcome | Unknown:
    if connection.in_atomic_block:
        raise CalledInsideTransaction(f"{processor.name}.{name}")
    breaker = breaker_of(processor.name)
    breaker.require_closed()
    began = time.monotonic()
    outcome: Outcome | Unknown
    try:
        outcome = call()
    except ProcessorFailed as failure:
        logger.warning("processor_failed", processor=processor.name, call=name, key=key, code=failure.code)
        breaker.count(failed=isinstance(failure, ProcessorUnavailable | ProcessorTimeout))
        raise
    except Exception as failure:
        logger.exception("processor_call_broke", processor=processor.name, call=name, key=key)
        outcome = Unknown(reason=type(failure).__name__)
    breaker.count(failed=isinstance(outcome, Unknown) and not outcome.is_answered)
    logger.info(
        "processor_called",
        processor=processor.name,
        call=name,
        key=key,
        outcome=type(outcome).__name__.lower(),
        duration_ms=round((time.monotonic() - began) * 1000),
    )
    return outcome

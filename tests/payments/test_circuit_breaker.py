"""A provider that fails most of its calls is left alone for a while, and tried with one call after that."""

import pytest
from prometheus_client import REGISTRY

from payments.processors.circuit_breaker import FAILURES_TO_OPEN, OPEN_FOR_S, CircuitBreaker
from payments.refusals import ProcessorUnavailable


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("breaker_test", clock=clock)


def gauge() -> float | None:
    return REGISTRY.get_sample_value("open_wallet_provider_circuit_open", {"provider": "breaker_test"})


def opened(breaker: CircuitBreaker) -> None:
    for _ in range(FAILURES_TO_OPEN):
        breaker.count(failed=True)


def test_when_less_than_half_of_the_calls_fail_then_all_are_let_through(breaker):
    for number in range(200):
        breaker.count(failed=number % 20 < FAILURES_TO_OPEN - 1)

    breaker.require_closed()

    assert (breaker.is_open, gauge()) == (False, 0.0)


def test_when_half_of_the_calls_fail_then_the_next_is_refused_and_the_gauge_says_so(breaker):
    opened(breaker)

    with pytest.raises(ProcessorUnavailable):
        breaker.require_closed()

    assert (breaker.is_open, gauge()) == (True, 1.0)


def test_when_its_time_is_over_then_one_call_tries_and_the_others_wait(breaker, clock):
    opened(breaker)
    clock.now_s += OPEN_FOR_S

    breaker.require_closed()

    with pytest.raises(ProcessorUnavailable):
        breaker.require_closed()


def test_when_the_trying_call_succeeds_then_all_are_let_through_again(breaker, clock):
    opened(breaker)
    clock.now_s += OPEN_FOR_S
    breaker.require_closed()

    breaker.count(failed=False)
    breaker.count(failed=True)
    breaker.require_closed()

    assert (breaker.is_open, gauge()) == (False, 0.0)


def test_when_the_trying_call_fails_then_it_stays_open_for_as_long_again(breaker, clock):
    opened(breaker)
    clock.now_s += OPEN_FOR_S
    breaker.require_closed()
    breaker.count(failed=True)
    clock.now_s += OPEN_FOR_S - 1

    with pytest.raises(ProcessorUnavailable):
        breaker.require_closed()

    assert gauge() == 1.0

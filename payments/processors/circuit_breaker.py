"""Circuit breakers: a provider that fails most of its calls gets none for a while, then one to see whether it is well.

Each process has its own breaker for each provider: it learns within a few calls what the others know, and needs
no store that could fail as well. What a breaker refuses was never sent, so that nothing can have been charged.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

import structlog
from prometheus_client import Gauge

from payments.refusals import ProcessorUnavailable

CALLS_WATCHED = 20
"""By how many of its last calls a provider is judged."""

FAILURES_TO_OPEN = 10
OPEN_FOR_S = 30.0

logger = structlog.get_logger()

_open = Gauge(
    "open_wallet_provider_circuit_open",
    "Whether calls to a payment provider are held back because most of them failed.",
    ("provider",),
    multiprocess_mode="livemax",
)


class CircuitBreaker:
    """Opens when half of the last calls failed; after `OPEN_FOR_S` one call is let through, which decides."""

    def __init__(self, provider: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.provider = provider
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[bool] = deque(maxlen=CALLS_WATCHED)
        self._retry_at_s = 0.0
        _open.labels(provider=provider).set(0)

    @property
    def is_open(self) -> bool:
        """Whether calls are held back."""
        return self._retry_at_s > 0

    def require_closed(self) -> None:
        """Refuse with ProcessorUnavailable while the provider is left alone."""
        with self._lock:
            if self._retry_at_s == 0:
                return
            if self._clock() < self._retry_at_s:
                raise ProcessorUnavailable("The payment provider fails at the moment. Nothing was charged.")
            # This call is the one that tries; the others wait for what it finds.
            self._retry_at_s = self._clock() + OPEN_FOR_S

    def count(self, *, failed: bool) -> None:
        """Take note of how a call went."""
        with self._lock:
            if self._retry_at_s > 0:
                if not failed:
                    self._close()
                return
            self._failures.append(failed)
            if sum(self._failures) >= FAILURES_TO_OPEN:
                self._retry_at_s = self._clock() + OPEN_FOR_S
                _open.labels(provider=self.provider).set(1)
                logger.error("provider_circuit_opened", provider=self.provider)

    def _close(self) -> None:
        self._retry_at_s = 0.0
        self._failures.clear()
        _open.labels(provider=self.provider).set(0)
        logger.info("provider_circuit_closed", provider=self.provider)


_breakers: dict[str, CircuitBreaker] = {}
_making = threading.Lock()


def breaker_of(provider: str) -> CircuitBreaker:
    """Give this process's breaker of a provider."""
    with _making:
        if provider not in _breakers:
            _breakers[provider] = CircuitBreaker(provider)
        return _breakers[provider]


def forget_all() -> None:
    """Close all breakers and forget what was counted: for tests, which let providers fail on purpose."""
    with _making:
        for breaker in _breakers.values():
            breaker._close()

"""What the vaults of providers share: the calls of one operation in one time, and what failures mean to us."""

import re
import time
from collections.abc import Callable
from typing import Any, NoReturn

import structlog

from tokens.providers.calls import Garbled, Limits, NoAnswer, NotSent, ProviderAnswer
from tokens.refusals import VaultFailed, VaultTimeout, VaultUnavailable

WITHIN_S = 12.0
"""How long storing, reading or destroying one item may take, all its calls and retries together, in seconds.

A phone takes its payment for failed 30 s after the customer confirmed it, and a charge has to follow.
"""

READ_S = 6.0

logger = structlog.get_logger()


class Operation:
    """The calls of one operation on the vault, which share `WITHIN_S` seconds."""

    def __init__(self, send: Callable[..., ProviderAnswer]) -> None:
        """Begin one; `send` is the provider's."""
        self._send = send
        self._until = time.monotonic() + WITHIN_S

    def call(self, **call: Any) -> ProviderAnswer:
        """Make a call; the answer may be a refusal. Refuses with VaultUnavailable (nothing sent), VaultTimeout."""
        limits = Limits(read_s=READ_S, total_s=max(self._until - time.monotonic(), 0.0))
        try:
            return self._send(limits=limits, **call)
        except NotSent as silent:
            raise VaultUnavailable from silent
        except NoAnswer as silent:
            raise VaultTimeout from silent

    def document(self, **call: Any) -> dict[str, Any]:
        """Make a call that must succeed, and read its object. Refuses as `call` and `refused` do."""
        answer = self.call(**call)
        if not answer.is_success:
            refused(answer)
        return read(answer)


def read(answer: ProviderAnswer) -> dict[str, Any]:
    """Read the object of an answer. Refuses with VaultFailed what is none."""
    try:
        return answer.document()
    except Garbled as garbled:
        raise VaultFailed from garbled


def refused(answer: ProviderAnswer) -> NoReturn:
    """Refuse with what a status means that the card can't help: VaultUnavailable, VaultTimeout or VaultFailed."""
    if answer.status in (401, 403):
        logger.error("vault_refuses_our_key", status=answer.status)
    if answer.status == 408:
        raise VaultTimeout
    if answer.status in (409, 429, 503):
        raise VaultUnavailable
    raise VaultFailed


def id_in(document: dict[str, Any]) -> str:
    """Take the provider's id out of an object; fit for a path and for an expression. Refuses with VaultFailed."""
    found = document.get("id")
    if not isinstance(found, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", found):
        raise VaultFailed
    return found


def object_in(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Take an object out of another; an empty one when there is none."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}

"""One key, one effect, for ever.

The row of a key is written in the same database transaction as the effect, as its last lock: a second racer
waits for the first on the unique index, fails, rolls back all it did and answers with what the first stored.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction

from events import context
from events.clock import now
from transactions.prepared import run
from transactions.refusals import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    Refusal,
)

WAIT_FOR_FIRST_S = 5.0
POLL_EVERY_S = 0.05
LOCK_NOT_AVAILABLE = "55P03"

INSERT_KEY = (
    "INSERT INTO transactions_idempotencykey"
    " (principal, key, fingerprint, status, body, resource, request_id, created_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
# A key whose first attempt moved nothing has neither answer nor resource: the same request may take it again.
OPEN_KEY = INSERT_KEY + (
    " ON CONFLICT (key, principal) DO UPDATE SET resource = EXCLUDED.resource, request_id = EXCLUDED.request_id"
    " WHERE transactions_idempotencykey.status IS NULL AND transactions_idempotencykey.resource = ''"
    " AND transactions_idempotencykey.fingerprint = EXCLUDED.fingerprint RETURNING 1"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered: HTTP status, the body's bytes, and the object that it shows (`transfer:id`)."""

    status: int
    body: bytes
    resource: str = ""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """A call and the key that makes it happen once.

    `principal` scopes the key; `fingerprint` is a keyed hash of method, path and body; `render` makes the
    answer of the effect's result before it is stored; `show` makes today's body of a stored resource, for
    when the first answer's bytes have been dropped. An empty `key` is a call that need not be unique.
    """

    principal: str
    key: str
    fingerprint: bytes
    render: Callable[[Any], Answer]
    show: Callable[[str], bytes] | None = None


def key_row(call: KeyedCall, *, status: int | None, body: bytes | None, resource: str) -> tuple[Any, ...]:
    """Give the values of `INSERT_KEY`, for the statement that has the effect."""
    return (
        call.principal,
        call.key,
        call.fingerprint,
        status,
        body,
        resource,
        context.current().request_id,
        now(),
    )


def store(call: KeyedCall, result: Any) -> Answer:
    """Render the result and write the key's row in the transaction under way."""
    answer = call.render(result)
    if call.key:
        with key_lock_timeout():
            run(INSERT_KEY, key_row(call, status=answer.status, body=answer.body, resource=answer.resource))
    return answer


def open_key(call: KeyedCall, *, resource: str) -> None:
    """Write the key's row without an answer: the outcome comes from outside, and later.

    Refuses with IdempotencyInProgress a key that is taken; `once` then replays what took it.
    """
    if call.key:
        with key_lock_timeout():
            taken = run(OPEN_KEY, key_row(call, status=None, body=None, resource=resource))
        if not taken:
            raise IdempotencyInProgress


def free_key(*, resource: str) -> None:
    """Let the same request have its unanswered key again, when the first attempt is known to have moved nothing."""
    run(
        "UPDATE transactions_idempotencykey SET resource = '' WHERE resource = %s AND status IS NULL",
        (resource,),
    )


def resource_of_key(*, principal: str, key: str) -> str:
    """Tell, without waiting, which object a key stands for; nothing where it is new, or free again."""
    rows = run(
        "SELECT resource FROM transactions_idempotencykey WHERE principal = %s AND key = %s", (principal, key)
    )
    return str(rows[0][0]) if rows else ""


def answer_key(*, resource: str, answer: Answer) -> bool:
    """Store the answer of whichever key was opened for the resource; whether one was waiting for it."""
    answered = run(
        "UPDATE transactions_idempotencykey SET status = %s, body = %s"
        " WHERE resource = %s AND status IS NULL RETURNING 1",
        (answer.status, answer.body, resource),
    )
    return bool(answered)


class key_lock_timeout:  # noqa: N801 - reads as a statement: `with key_lock_timeout():`
    """Turn a lock timeout inside the block into IdempotencyInProgress: all other locks are held already."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OperationalError) and sqlstate(error) == LOCK_NOT_AVAILABLE:
            raise IdempotencyInProgress from error


def sqlstate(error: BaseException) -> str:
    """Tell PostgreSQL's code of a database error; empty where there is none."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def once(call: KeyedCall, effect: Callable[[], Answer]) -> Answer:
    """Run `effect` in one database transaction, once for the key; a repeated call gets the first answer.

    `effect` writes the key's row itself, by `ledger.post(call=...)`, `store` or `open_key`. A refusal is not
    remembered, unless the key has been used before: then its first answer stands.

    Refuses with IdempotencyKeyReused, IdempotencyInProgress, and whatever `effect` refuses with.
    """
    try:
        with transaction.atomic():
            return effect()
    except Refusal:
        first = replay(call)
        if first is None:
            raise
        return first
    except IntegrityError as error:
        first = replay(call)
        if first is None:
            raise error
        return first


def replay(call: KeyedCall) -> Answer | None:
    """Find the first answer of the key; None when the key is new, or free again.

    Waits up to five seconds for a first call that is still running. Refuses with IdempotencyKeyReused when
    the first request was another one, and with IdempotencyInProgress when it has no answer yet.
    """
    if not call.key:
        return None
    waited_until = time.monotonic() + WAIT_FOR_FIRST_S
    while True:
        rows = run(
            "SELECT fingerprint, status, body, resource FROM transactions_idempotencykey"
            " WHERE principal = %s AND key = %s",
            (call.principal, call.key),
        )
        if not rows:
            return None
        fingerprint, status, body, resource = rows[0]
        if bytes(fingerprint) != call.fingerprint:
            raise IdempotencyKeyReused
        if status is not None:
            if body is None:
                body = call.show(resource) if call.show else b""
            return Answer(status=status, body=bytes(body), resource=resource, replayed=True)
        if not resource:
            return None
        if time.monotonic() >= waited_until:
            raise IdempotencyInProgress
        time.sleep(POLL_EVERY_S)


def drop_old_answers(*, older_than_days: int = 30, limit: int = 1000) -> int:
    """Drop the bytes of answers that are kept no longer, at most `limit` of them; tell how many.

    The rows stay: a key is never forgotten. So does the answer of a batch, the only record of what it refused.
    """
    rows = run(
        "WITH old AS (SELECT principal, key FROM transactions_idempotencykey WHERE body IS NOT NULL"
        " AND resource <> 'batch'"
        " AND created_at < now() - %s * interval '1 day' ORDER BY created_at LIMIT %s"
        " FOR UPDATE SKIP LOCKED)"
        " UPDATE transactions_idempotencykey AS k SET body = NULL FROM old"
        " WHERE k.principal = old.principal AND k.key = old.key RETURNING 1",
        (older_than_days, limit),
    )
    return len(rows)


def resource_id(resource: str) -> UUID:
    """Read the id out of a stored resource such as `transfer:id`."""
    return UUID(resource.partition(":")[2])

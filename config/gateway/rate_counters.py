"""Exact counters: one round trip for all quotas of a call, in Redis when it is there, otherwise in PostgreSQL.

Both count with one atomic statement. A read followed by a write, such as Django's DatabaseCache makes, loses
three of four increments when processes race.
"""

import threading
import time
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django_redis import get_redis_connection
from redis.exceptions import RedisError

log = structlog.get_logger("rate_counters")

# A counter outlives its window a little, so that clocks that differ by seconds still count in one place.
GRACE_S = 5
# How long PostgreSQL counts after Redis failed, before Redis is asked again.
REDIS_PAUSE_S = 5

_SCRIPT = """
local counts = {}
for place, key in ipairs(KEYS) do
  local n = redis.call('INCR', key)
  if n == 1 then redis.call('EXPIRE', key, ARGV[place]) end
  counts[place] = n
end
return counts
"""
_UPSERT = """
INSERT INTO rate_limit_counter AS counter (key, count, expires_at)
SELECT key, 1, now() + make_interval(secs => lasts_s)
FROM unnest(%s::text[], %s::int[]) AS called (key, lasts_s)
ORDER BY key
ON CONFLICT (key) DO UPDATE SET count = counter.count + 1
RETURNING key, count
"""
_PURGE = "DELETE FROM rate_limit_counter WHERE expires_at < now()"


class RedisCounters(threading.local):
    """A thread's own connection to Redis, and until when the thread leaves Redis alone after a failure.

    The connection is spoken to directly, since redis-py's client costs 80 µs more for each call.
    """

    def __init__(self) -> None:
        self.connection: Any = None
        self.digest = ""
        self.paused_until_s = 0.0

    def count(self, lasts_s: dict[str, int]) -> dict[str, int]:
        """Add one to each key's counter; raises RedisError when Redis is away."""
        command: tuple[str | int, ...] = (
            len(lasts_s),
            *lasts_s,
            *(seconds + GRACE_S for seconds in lasts_s.values()),
        )
        is_fresh = self.connection is None
        try:
            counts = self.run(command)
        except RedisError:
            self.leave()
            if is_fresh:
                raise
            # The kept connection may have been closed meanwhile, or the script forgotten.
            counts = self.run(command)
        return dict(zip(lasts_s, counts, strict=True))

    def run(self, command: tuple[str | int, ...]) -> list[int]:
        """Run the script, after connecting and loading it where that has not been done."""
        if self.connection is None:
            self.connection = get_redis_connection("default").connection_pool.make_connection()
            self.digest = self.send("SCRIPT", "LOAD", _SCRIPT)
        counts: list[int] = self.send("EVALSHA", self.digest, *command)
        return counts

    def send(self, *command: str | int) -> Any:
        """Send one command and read its answer."""
        self.connection.send_command(*command)
        return self.connection.read_response()

    def leave(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            self.connection.disconnect()
            self.connection = None


_redis = RedisCounters()


def count(lasts_s: dict[str, int]) -> dict[str, int]:
    """Add one to each key's counter and tell the new counts; `lasts_s` says how long each counter is needed."""
    if settings.REDIS_URL and time.monotonic() >= _redis.paused_until_s:
        try:
            return _redis.count(lasts_s)
        except RedisError as failure:
            # A quota must hold through an outage, so the other exact counter takes over instead of letting all pass.
            _redis.leave()
            _redis.paused_until_s = time.monotonic() + REDIS_PAUSE_S
            log.warning("redis_unavailable", reason=type(failure).__name__, counting_in="postgresql")
    return count_in_postgresql(lasts_s)


def count_in_postgresql(lasts_s: dict[str, int]) -> dict[str, int]:
    """Count in the unlogged table, in order of keys so that two calls can't deadlock."""
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, [list(lasts_s), [seconds + GRACE_S for seconds in lasts_s.values()]])
        return dict(cursor.fetchall())


def purge_expired_counters() -> int:
    """Delete the counters whose window is over; tells how many."""
    with connection.cursor() as cursor:
        cursor.execute(_PURGE)
        return int(cursor.rowcount)

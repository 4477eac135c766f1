"""Exact counters: one round trip for all quotas of a call, in Redis when it is there, otherwise in PostgreSQL.

Both count with one atomic statement. A read followed by a write, such as Django's DatabaseCache makes, loses
three of four increments when processes race.
"""

import time
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django.db import connection
from django_redis import get_redis_connection
from redis.exceptions import NoScriptError, RedisError

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


@dataclass(slots=True)
class _RedisState:
    """What this process knows of Redis: the script's digest, and until when it is left alone after a failure."""

    digest: str = field(default="")
    paused_until_s: float = field(default=0.0)


_redis = _RedisState()


def count(lasts_s: dict[str, int]) -> dict[str, int]:
    """Add one to each key's counter and tell the new counts; `lasts_s` says how long each counter is needed."""
    if settings.REDIS_URL and time.monotonic() >= _redis.paused_until_s:
        try:
            return _count_in_redis(lasts_s)
        except RedisError as failure:
            # A quota must hold through an outage, so the other exact counter takes over instead of letting all pass.
            _redis.paused_until_s = time.monotonic() + REDIS_PAUSE_S
            log.warning("redis_unavailable", reason=type(failure).__name__, counting_in="postgresql")
    return count_in_postgresql(lasts_s)


def _count_in_redis(lasts_s: dict[str, int]) -> dict[str, int]:
    client = get_redis_connection("default")
    arguments: list[str | int] = [*lasts_s, *(seconds + GRACE_S for seconds in lasts_s.values())]
    if not _redis.digest:
        _redis.digest = client.script_load(_SCRIPT)
    try:
        counts = client.evalsha(_redis.digest, len(lasts_s), *arguments)
    except NoScriptError:
        counts = client.eval(_SCRIPT, len(lasts_s), *arguments)
    return dict(zip(lasts_s, counts, strict=True))


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

"""Exact counters: one round trip for all quotas of a call, in Redis when it is there, otherwise in PostgreSQL.

Both count with one atomic statement. A read followed by a write, such as Django's DatabaseCache makes, loses
three of four increments when processes race.
"""

from django.db import connection

from events.redis_link import RedisAwayError, Script, link

# A counter outlives its window a little, so that clocks that differ by seconds still count in one place.
GRACE_S = 5

_SCRIPT = Script("""
local counts = {}
for place, key in ipairs(KEYS) do
  local n = redis.call('INCR', key)
  if n == 1 then redis.call('EXPIRE', key, ARGV[place]) end
  counts[place] = n
end
return counts
""")
_UPSERT = """
INSERT INTO rate_limit_counter AS counter (key, count, expires_at)
SELECT key, 1, now() + make_interval(secs => lasts_s)
FROM unnest(%s::text[], %s::int[]) AS called (key, lasts_s)
ORDER BY key
ON CONFLICT (key) DO UPDATE SET count = counter.count + 1
RETURNING key, count
"""
_PURGE = "DELETE FROM rate_limit_counter WHERE expires_at < now()"


def count(lasts_s: dict[str, int]) -> dict[str, int]:
    """Add one to each key's counter and tell the new counts; `lasts_s` says how long each counter is needed."""
    try:
        counts = link.run(_SCRIPT, list(lasts_s), [seconds + GRACE_S for seconds in lasts_s.values()])
    except RedisAwayError:
        # A quota must hold through an outage, so the other exact counter takes over instead of letting all pass.
        return count_in_postgresql(lasts_s)
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

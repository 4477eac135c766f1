"""A thread's own connection to Redis, spoken to directly for the two calls that each request makes.

redis-py's client costs 80 µs more for each of them. Whoever calls must do without Redis: it may be away.
"""

import os
import threading
import time
from hashlib import sha1
from typing import Any

import structlog
from django.conf import settings
from django_redis import get_redis_connection
from redis.exceptions import NoScriptError, RedisError

PAUSE_S = 5.0
"""How long a thread leaves Redis alone after it failed, so that not each request waits for a timeout."""

log = structlog.get_logger()


class RedisAwayError(Exception):
    """Redis isn't configured, failed just now, or failed a moment ago."""


class RedisLink(threading.local):
    """The thread's connection, and until when Redis is left alone."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.paused_until_s = 0.0

    def ask(self, *command: str | bytes | int) -> Any:
        """Send one command and give its answer, as bytes and integers. Refuses with RedisAwayError.

        A kept connection may have been closed meanwhile: it is opened anew once before Redis counts as away.
        """
        if not settings.REDIS_URL or time.monotonic() < self.paused_until_s:
            raise RedisAwayError
        is_fresh = self.connection is None
        try:
            try:
                return self._exchange(command)
            except NoScriptError:
                raise
            except RedisError:
                self.leave()
                if is_fresh:
                    raise
                return self._exchange(command)
        except NoScriptError:
            raise
        except RedisError as failure:
            self.leave()
            self.paused_until_s = time.monotonic() + PAUSE_S
            log.warning("redis_unavailable", reason=type(failure).__name__)
            raise RedisAwayError from failure

    def run(self, script: "Script", keys: list[str], arguments: list[str | bytes | int]) -> Any:
        """Run a script in one round trip, or in two where Redis hasn't kept it. Refuses with RedisAwayError."""
        rest = (len(keys), *keys, *arguments)
        try:
            return self.ask("EVALSHA", script.digest, *rest)
        except NoScriptError:
            return self.ask("EVAL", script.text, *rest)

    def leave(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            self.connection.disconnect()
            self.connection = None

    def _exchange(self, command: tuple[str | bytes | int, ...]) -> Any:
        if self.connection is None:
            self.connection = get_redis_connection("default").connection_pool.make_connection()
        self.connection.send_command(*command)
        return self.connection.read_response()


class Script:
    """A Lua script, named by its digest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


link = RedisLink()
# A child process would read the answers to its parent's commands.
os.register_at_fork(after_in_child=link.leave)

"""The stream of published events: one process listens to PostgreSQL for all who listen to it.

A listener keeps nothing but its position. The hub hears of new positions by NOTIFY, wakes those whom the events
concern, and each reads on from where it stood: what was missed and what is new come by the same way, in order, once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from uuid import UUID

import orjson
import psycopg
import structlog
from django.conf import settings
from django.db import connections
from psycopg import sql

from events.published import PublishedEvent, oldest_first
from events.relay import CHANNEL

HEARTBEAT_S = 15.0
# A notification may be lost on the way (a connection that broke): then the position is looked up.
LOOK_UP_S = 5.0
PAUSE_S = 1.0
EVENTS_AT_ONCE = 100
RETRY_MS = 3_000

_LAST = "SELECT last FROM events_eventposition WHERE id = 1"
_CONCERNED = (
    "SELECT DISTINCT user_id FROM events_event WHERE position > %s AND position <= %s AND user_id = ANY(%s)"
)

_log = structlog.get_logger()


def opening_frame(position: int, *, retry_ms: int = RETRY_MS) -> bytes:
    """Write what a stream begins with: when to come back, and from where, should it break before the first event."""
    return f"retry: {retry_ms}\nid: {position}\n\n".encode()


def event_frame(event: PublishedEvent) -> bytes:
    """Write one event as the browser's EventSource reads it; its id is the position to resume from."""
    data = orjson.dumps(event.shown(), option=orjson.OPT_UTC_Z)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.position, event.type.encode(), data)


class EventHub:
    """What all listeners of one process share: the last position, who waits for news, and two connections."""

    def __init__(self) -> None:
        self.position = 0
        self.listeners = 0
        self._waiting: dict[UUID | None, set[asyncio.Event]] = {}
        self._is_open = True
        self._reading = asyncio.Lock()
        self._reader: psycopg.AsyncConnection[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; returns when the last position is known. Raises psycopg's errors where it can't be."""
        async with self._reading:
            if self._task is not None:
                return
            rows = await self._read(_LAST, ())
            self.position = rows[0][0]
            self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """End every stream and let go of the database."""
        self._is_open = False
        for bells in self._waiting.values():
            _ring(bells)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._reader is not None:
            await self._reader.close()

    async def frames(self, *, owner_id: UUID | None, after: int | None, until: float) -> AsyncIterator[bytes]:
        """Give the frames of one listener until `until` (seconds since 1970): events, and heartbeats between them.

        `owner_id` sees its own events alone, None those of everybody. `after` is the last position that the
        listener has seen; without one it begins with what comes next. A stream that can't read ends: its listener
        comes back and resumes.
        """
        try:
            await self.start()
            async for frame in self._frames(owner_id, after, until):
                yield frame
        except (psycopg.Error, OSError) as failure:
            _log.warning("stream_broken_off", reason=type(failure).__name__)

    async def _frames(self, owner_id: UUID | None, after: int | None, until: float) -> AsyncIterator[bytes]:
        with self._bell(owner_id) as bell:
            position = self.position if after is None else after
            yield opening_frame(position)
            while self._is_open:
                bell.clear()
                known = self.position
                async for event in self._events(owner_id, position, known):
                    yield event_frame(event)
                position = max(position, known)
                left_s = until - time.time()
                if left_s <= 0 or not self._is_open:
                    return
                try:
                    await asyncio.wait_for(bell.wait(), min(HEARTBEAT_S, left_s))
                except TimeoutError:
                    yield b": heartbeat\n\n"

    @contextmanager
    def _bell(self, owner_id: UUID | None) -> Iterator[asyncio.Event]:
        bell = asyncio.Event()
        bells = self._waiting.setdefault(owner_id, set())
        bells.add(bell)
        self.listeners += 1
        try:
            yield bell
        finally:
            self.listeners -= 1
            bells.discard(bell)
            if not bells:
                self._waiting.pop(owner_id, None)

    async def _events(self, owner_id: UUID | None, after: int, until: int) -> AsyncIterator[PublishedEvent]:
        while after < until:
            query = oldest_first(after=after, until=until, owner_id=owner_id, count=EVENTS_AT_ONCE)
            async with self._reading:
                rows = await self._read(*query)
            for row in rows:
                yield PublishedEvent(*row)
            if len(rows) < EVENTS_AT_ONCE:
                return
            after = rows[-1][1]

    async def _read(self, statement: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if self._reader is None or self._reader.closed:
            self._reader = await _connect()
        cursor = await self._reader.execute(statement.encode(), parameters)
        return await cursor.fetchall()

    async def _follow(self) -> None:
        while True:
            try:
                async with _connected() as connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    while True:
                        cursor = await connection.execute(_LAST)
                        await self._move_to((await cursor.fetchall())[0][0])
                        async for _note in connection.notifies(timeout=LOOK_UP_S, stop_after=1):
                            pass
            except (psycopg.Error, OSError) as failure:
                _log.warning("stream_lost_database", reason=type(failure).__name__)
                await asyncio.sleep(PAUSE_S)

    async def _move_to(self, position: int) -> None:
        if position <= self.position:
            return
        owners = [owner_id for owner_id in self._waiting if owner_id is not None]
        concerned: set[UUID | None] = {None}
        if owners:
            async with self._reading:
                rows = await self._read(_CONCERNED, (self.position, position, owners))
            concerned.update(owner_id for (owner_id,) in rows)
        self.position = position
        for owner_id in concerned:
            _ring(self._waiting.get(owner_id, ()))


def _ring(bells: Any) -> None:
    for bell in tuple(bells):
        bell.set()


async def _connect() -> psycopg.AsyncConnection[Any]:
    # Past a pooler that hands out servers for a transaction: whoever listens has to keep one.
    alias = "direct" if "direct" in settings.DATABASES else "default"
    parameters: dict[str, Any] = connections[alias].get_connection_params()
    kept = {name: value for name, value in parameters.items() if name not in ("context", "cursor_factory")}
    return await psycopg.AsyncConnection.connect(**kept, autocommit=True)


@asynccontextmanager
async def _connected() -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    connection = await _connect()
    try:
        yield connection
    finally:
        await connection.close()


_hubs: dict[asyncio.AbstractEventLoop, EventHub] = {}


def hub_of_this_process() -> EventHub:
    """Give the hub of the running event loop, made at its first call."""
    return _hubs.setdefault(asyncio.get_running_loop(), EventHub())

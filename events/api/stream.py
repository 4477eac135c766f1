"""The stream of events over HTTP."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from events.published import events_after, last_position
from events.stream import EVENTS_AT_ONCE, event_frame, hub_of_this_process, opening_frame
from users.api.answers import PRIVATE
from users.api.authentication import caller
from users.api.bodies import InvalidRequest
from users.api.views import StrictViewSet
from users.credentials import expiry_of

LAST_EVENT_ID = "Last-Event-ID"
LARGEST_POSITION = 2**63 - 1
# Listeners whom no process keeps a connection open for come back this often: within the quota of a user.
COME_BACK_MS = 20_000


class EventStreamViewSet(StrictViewSet):
    """Events as they are published."""

    queried = frozenset()
    scopes = {"stream": "event:read"}

    @extend_schema(
        operation_id="stream_events",
        summary="Listen to events",
        tags=["Events"],
        parameters=[
            OpenApiParameter(
                LAST_EVENT_ID,
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="The `id` of the last event seen, which is its position: what came after it is sent first.",
            )
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    def stream(self, request: Request) -> HttpResponseBase:
        """Send each event as it is published (server-sent events), with a comment every 15 seconds in between.

        `event` is its type, `id` its position, `data` what `GET /events/{id}` answers. It ends with the access token:
        come back with a new one and `Last-Event-ID`.
        """
        after = _last_event_id(request)
        owner_id = caller(request).owner_id
        if request.method == "HEAD":
            return _answer(HttpResponse(content_type="text/event-stream"))
        frames: AsyncIterator[bytes] | Iterator[bytes]
        if isinstance(request._request, ASGIRequest):
            frames = _endless(owner_id, after, until=expiry_of(str(request.auth)))
        else:
            frames = _missed(owner_id, after)
        return _answer(StreamingHttpResponse(frames, content_type="text/event-stream"))


def _last_event_id(request: Request) -> int | None:
    given = request.META.get("HTTP_LAST_EVENT_ID", "").strip()
    if not given:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 19 or int(given) > LARGEST_POSITION:
        raise InvalidRequest(
            [
                {
                    "field": LAST_EVENT_ID,
                    "code": "invalid",
                    "detail": "Give the id of an event of this stream: a whole number.",
                }
            ]
        )
    return int(given)


def _answer(response: Any) -> HttpResponseBase:
    response.headers["Cache-Control"] = PRIVATE
    # nginx would keep events back until its buffer is full.
    response.headers["X-Accel-Buffering"] = "no"
    answered: HttpResponseBase = response
    return answered


async def _endless(owner_id: UUID | None, after: int | None, *, until: int) -> AsyncIterator[bytes]:
    async for frame in hub_of_this_process().frames(owner_id=owner_id, after=after, until=until):
        yield frame


def _missed(owner_id: UUID | None, after: int | None) -> Iterator[bytes]:
    """Give what was missed and end, where no process holds streams open: the listener comes back by itself."""
    until = last_position()
    position = until if after is None else after
    yield opening_frame(position, retry_ms=COME_BACK_MS)
    while position < until:
        events = events_after(position, until=until, owner_id=owner_id, count=EVENTS_AT_ONCE)
        for event in events:
            yield event_frame(event)
        position = events[-1].position if len(events) == EVENTS_AT_ONCE else until

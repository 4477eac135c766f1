"""Reading published events, always within what a principal may see."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from events.models import Event
from users.refusals import NotFound


def events_within(
    *, owner_id: UUID | None, wallet_id: UUID | None = None, event_type: str | None = None
) -> QuerySet[Event]:
    """Give the events of one customer, or of everybody when `owner_id` is None, narrowed to a wallet or a type.

    Refuses with NotFound a wallet that doesn't exist or is somebody else's.
    """
    found = Event.objects.all()
    if owner_id is not None:
        found = found.filter(user_id=owner_id)
    if wallet_id is not None:
        owners_of: Callable[[Collection[UUID]], dict[UUID, UUID]] = import_string(settings.WALLET_OWNERS)
        wallet_owner = owners_of([wallet_id]).get(wallet_id)
        if wallet_owner is None or owner_id not in (None, wallet_owner):
            raise NotFound
        found = found.filter(wallet_id=wallet_id)
    return found if event_type is None else found.filter(type=event_type)


def event_within(*, event_id: UUID, owner_id: UUID | None) -> Event:
    """Give one event. Refuses with NotFound what doesn't exist or is somebody else's."""
    event = events_within(owner_id=owner_id).filter(id=event_id).first()
    if event is None:
        raise NotFound("There is no such event.")
    return event


def shown(event: Event) -> dict[str, Any]:
    """Tell all that may be shown of an event: the API's fields in their order."""
    return {
        "id": event.id,
        "type": event.type,
        "position": event.position,
        "wallet_id": event.wallet_id,
        "seq": event.wallet_seq,
        "user_id": event.user_id,
        "request_id": event.request_id,
        "data": event.data,
        "created_at": event.created_at,
    }

"""Webhook endpoints: who listens to which events."""

from dataclasses import dataclass

from events.event_types import ALL
from events.models import WebhookEndpoint


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An enabled endpoint as the relay needs it; with a `user_id` it hears of that customer alone."""

    id: str
    event_types: frozenset[str]
    user_id: str | None

    def wants(self, event_type: str, user_id: str | None) -> bool:
        """Whether an event of this type and customer goes to the endpoint."""
        return (self.user_id is None or self.user_id == user_id) and (
            event_type in self.event_types or ALL in self.event_types
        )


def subscribers() -> list[Subscriber]:
    """List the enabled endpoints."""
    found = WebhookEndpoint.objects.filter(status="enabled").values_list("id", "event_types", "user_id")
    return [
        Subscriber(str(endpoint_id), frozenset(event_types), str(user_id) if user_id else None)
        for endpoint_id, event_types, user_id in found
    ]

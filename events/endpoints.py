"""Webhook endpoints: made, changed, given new secrets, deleted, and asked who listens to what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from uuid_utils.compat import uuid7

from events import audit
from events.addresses import require_reachable
from events.clock import now
from events.event_types import ALL
from events.models import EndpointStatus, WebhookEndpoint
from events.signing import new_secret, shown_secret
from users.models import User
from users.refusals import InvalidInput, NotFound
from users.roles import Role
from users.sealing import open_sealed, seal

USUAL_OVERLAP_S = 24 * 3600
LONGEST_OVERLAP_S = 7 * 24 * 3600

_TABLE = WebhookEndpoint._meta.db_table

Result = TypeVar("Result")
Once = Callable[[Callable[[], WebhookEndpoint]], Result]
"""Runs a write in one transaction, once for the key of whoever asks, and gives what they are answered."""


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
    enabled = WebhookEndpoint.objects.filter(status=EndpointStatus.ENABLED)
    return [
        Subscriber(str(endpoint_id), frozenset(event_types), str(user_id) if user_id else None)
        for endpoint_id, event_types, user_id in enabled.values_list("id", "event_types", "user_id")
    ]


def endpoints_within(*, owner: str | None) -> QuerySet[WebhookEndpoint]:
    """Give the endpoints within reach, those of one principal or everybody's; deleted ones are gone."""
    found = WebhookEndpoint.objects.exclude(status=EndpointStatus.DELETED)
    return found if owner is None else found.filter(owner=owner)


def endpoint_within(*, endpoint_id: UUID, owner: str | None, lock: bool = False) -> WebhookEndpoint:
    """Give one endpoint, locked until the transaction ends if asked. Refuses with NotFound."""
    found = endpoints_within(owner=owner).filter(id=endpoint_id)
    endpoint = (found.select_for_update() if lock else found).first()
    if endpoint is None:
        raise NotFound("There is no such webhook endpoint.")
    return endpoint


def create_endpoint(
    *,
    url: str,
    event_types: Sequence[str],
    description: str,
    user_id: UUID | None,
    actor: str,
    once: Once[Result],
) -> Result:
    """Make an endpoint with a secret of its own, which `once`'s caller shows this one time.

    `event_types` are types of the API or `*`; with `user_id` it hears of that customer's events alone. Refuses with
    InvalidInput a URL that webhooks may not go to, and an unknown customer.
    """
    require_reachable(url)

    def write() -> WebhookEndpoint:
        if user_id is not None and not User.objects.filter(id=user_id, role=Role.USER).exists():
            raise InvalidInput("There is no such customer.", field="user_id")
        at, endpoint_id = now(), uuid7()
        endpoint = WebhookEndpoint(
            id=endpoint_id,
            owner=actor,
            user_id=user_id,
            url=url,
            description=description,
            event_types=list(event_types),
            sealed_secret=_sealed(new_secret(), "sealed_secret", endpoint_id),
            created_at=at,
            updated_at=at,
        )
        endpoint.save(force_insert=True)
        _record(
            "webhook_endpoint.created",
            endpoint,
            actor=actor,
            to_state=endpoint.status,
            after=_facts(endpoint),
        )
        return endpoint

    return once(write)


def change_endpoint(
    *, endpoint_id: UUID, owner: str | None, changes: dict[str, Any], actor: str, once: Once[Result]
) -> Result:
    """Change `url`, `description`, `event_types` or `status` (`enabled`, `disabled`); others stay.

    What waits for a disabled endpoint is sent once it is enabled again. Refuses with NotFound and InvalidInput.
    """
    if "url" in changes:
        require_reachable(changes["url"])

    def write() -> WebhookEndpoint:
        endpoint = endpoint_within(endpoint_id=endpoint_id, owner=owner, lock=True)
        before, from_state = _facts(endpoint), endpoint.status
        for name, value in changes.items():
            setattr(endpoint, name, value)
        if changes.get("status") == EndpointStatus.ENABLED:
            endpoint.disabled_reason, endpoint.failures_in_a_row, endpoint.resting_until = "", 0, None
        elif changes.get("status") == EndpointStatus.DISABLED:
            endpoint.disabled_reason = f"disabled by {actor}"
        endpoint.updated_at = now()
        endpoint.save(
            update_fields=[*changes, "disabled_reason", "failures_in_a_row", "resting_until", "updated_at"]
        )
        _record(
            "webhook_endpoint.changed",
            endpoint,
            actor=actor,
            from_state=from_state,
            to_state=endpoint.status,
            before=before,
            after=_facts(endpoint),
        )
        return endpoint

    return once(write)


def rotate_secret(*, endpoint_id: UUID, owner: str | None, overlap_s: int, actor: str) -> WebhookEndpoint:
    """Give an endpoint a new secret; the one before signs beside it for `overlap_s` seconds more.

    A third secret that was still signing stops at once. Refuses with NotFound.
    """
    with transaction.atomic():
        endpoint = endpoint_within(endpoint_id=endpoint_id, owner=owner, lock=True)
        former = open_sealed(endpoint.sealed_secret, table=_TABLE, column="sealed_secret", row_id=endpoint.id)
        at = now()
        endpoint.sealed_secret = _sealed(new_secret(), "sealed_secret", endpoint.id)
        endpoint.sealed_previous_secret = (
            _sealed(former, "sealed_previous_secret", endpoint.id) if overlap_s else ""
        )
        endpoint.previous_secret_until = at + timedelta(seconds=overlap_s) if overlap_s else None
        endpoint.updated_at = at
        endpoint.save(
            update_fields=["sealed_secret", "sealed_previous_secret", "previous_secret_until", "updated_at"]
        )
        _record("webhook_endpoint.secret_rotated", endpoint, actor=actor)
    return endpoint


def delete_endpoint(*, endpoint_id: UUID, owner: str | None, actor: str) -> WebhookEndpoint:
    """Delete an endpoint: it is sent nothing more, and what waited for it has failed. Refuses with NotFound."""
    with transaction.atomic():
        endpoint = endpoint_within(endpoint_id=endpoint_id, owner=owner, lock=True)
        from_state = endpoint.status
        endpoint.status = EndpointStatus.DELETED
        endpoint.updated_at = now()
        endpoint.save(update_fields=["status", "updated_at"])
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE events_webhookdelivery SET status = 'failed', due_at = NULL, finished_at = %s"
                " WHERE endpoint_id = %s AND status = 'pending'",
                [endpoint.updated_at, endpoint.id],
            )
        _record(
            "webhook_endpoint.deleted",
            endpoint,
            actor=actor,
            from_state=from_state,
            to_state=endpoint.status,
        )
    return endpoint


def signing_keys(endpoint: WebhookEndpoint) -> list[bytes]:
    """Open the keys that sign for an endpoint now: its own, and the one before while they overlap."""
    keys = [open_sealed(endpoint.sealed_secret, table=_TABLE, column="sealed_secret", row_id=endpoint.id)]
    if endpoint.previous_secret_until is not None and endpoint.previous_secret_until > now():
        former = endpoint.sealed_previous_secret
        keys.append(open_sealed(former, table=_TABLE, column="sealed_previous_secret", row_id=endpoint.id))
    return keys


def revealed_secret(sealed_secret: str, *, endpoint_id: UUID) -> str:
    """Open the secret of an endpoint as its owner is shown it, once after it was made."""
    return shown_secret(open_sealed(sealed_secret, table=_TABLE, column="sealed_secret", row_id=endpoint_id))


def shown(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Tell all that may be shown of an endpoint: the API's fields in their order."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "user_id": endpoint.user_id,
        "status": endpoint.status,
        "disabled_reason": endpoint.disabled_reason or None,
        "previous_secret_until": endpoint.previous_secret_until,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def _sealed(key: bytes, column: str, endpoint_id: UUID) -> str:
    return seal(key, table=_TABLE, column=column, row_id=endpoint_id)


def _facts(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {"url": endpoint.url, "description": endpoint.description, "event_types": endpoint.event_types}


def _record(action: str, endpoint: WebhookEndpoint, *, actor: str, **change: Any) -> None:
    audit.record(actor=actor, action=action, object_type="webhook_endpoint", object_id=endpoint.id, **change)

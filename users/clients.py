"""Service clients: programs that call the API for any customer."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from users import trail
from users.models import ServiceClient
from users.refusals import InvalidInput, NotFound
from users.roles import ROLES, SERVICE

SECRET_BYTES = 32
CLIENT_ID = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}")


@dataclass(frozen=True, slots=True)
class IssuedClient:
    """A service client and its secret, which is told this once: only its hash is kept."""

    client: ServiceClient
    secret: str


def create_service_client(
    *,
    client_id: str,
    name: str,
    scopes: Iterable[str] = ROLES[SERVICE],
    secret: str = "",
    actor: str = trail.OPERATOR,
) -> IssuedClient:
    """Create a service client; without `secret` one of 256 random bits is made.

    Refuses with InvalidInput a client id that is malformed or taken, and scopes beyond the role's list.
    """
    unknown = sorted(set(scopes) - ROLES[SERVICE])
    if unknown:
        raise InvalidInput(f"A service client can't have {', '.join(unknown)}.", field="scopes")
    if not CLIENT_ID.fullmatch(client_id):
        raise InvalidInput(
            "A client id has 3 to 64 lower-case letters, digits, dots, dashes and underscores.",
            field="client_id",
        )
    secret = secret or secrets.token_urlsafe(SECRET_BYTES)
    client = ServiceClient(
        client_id=client_id, name=name, scopes=sorted(set(scopes)), secret_hash=make_password(secret)
    )
    try:
        with transaction.atomic():
            client.save(force_insert=True)
            trail.record(
                actor=actor,
                action="client.created",
                object_type="client",
                object_id=client.id,
                to_state="active",
                after={"client_id": client.client_id, "scopes": client.scopes},
            )
    except IntegrityError as broken:
        if "service_client_id_unique" not in str(broken):
            raise
        raise InvalidInput("This client id is taken.", field="client_id") from None
    return IssuedClient(client, secret)


def rotate_secret(*, client_id: str, actor: str = trail.OPERATOR) -> IssuedClient:
    """Give a service client a new secret and end its sessions. Refuses with NotFound."""
    with transaction.atomic():
        client = ServiceClient.objects.select_for_update().filter(client_id=client_id).first()
        if client is None:
            raise NotFound(f"There is no service client {client_id}.")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        client.secret_hash = make_password(secret)
        client.tokens_valid_from = timezone.now()
        client.save(update_fields=["secret_hash", "tokens_valid_from"])
        trail.record(actor=actor, action="client.secret_rotated", object_type="client", object_id=client.id)
    return IssuedClient(client, secret)

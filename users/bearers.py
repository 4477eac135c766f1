"""What is stored about the bearer of a token: one shape for people and for programs."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from users.models import ServiceClient, User
from users.principals import Principal
from users.refusals import InvalidToken
from users.roles import SERVICE


@dataclass(frozen=True, slots=True)
class Bearer:
    """A person (`email`, `time_zone`, `locale`) or a service client (`client_id`)."""

    id: UUID
    name: str
    created_at: datetime
    email: str | None = None
    client_id: str | None = None
    time_zone: str | None = None
    locale: str | None = None


def bearer_of(*, principal: Principal) -> Bearer:
    """Read who a token speaks for. Refuses with InvalidToken when that account is gone or switched off."""
    if principal.role == SERVICE:
        client = ServiceClient.objects.filter(id=principal.id, is_active=True).first()
        if client is None:
            raise InvalidToken
        return Bearer(
            id=client.id, name=client.name, created_at=client.created_at, client_id=client.client_id
        )
    user = User.objects.filter(id=principal.id, is_active=True).first()
    if user is None:
        raise InvalidToken
    return Bearer(
        id=user.id,
        name=user.name,
        created_at=user.created_at,
        email=user.email,
        time_zone=user.time_zone,
        locale=user.locale,
    )

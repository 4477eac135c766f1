"""Customers, staff and programs, and the tokens that speak for them."""

import factory
from factory.django import DjangoModelFactory
from uuid_utils.compat import uuid7

from users.credentials import sign_access
from users.models import ServiceClient, User
from users.roles import ROLES, SERVICE


class CustomerFactory(DjangoModelFactory[User]):
    """A customer who never logs in: the tests sign the tokens themselves."""

    class Meta:
        model = User

    email = factory.LazyFunction(lambda: f"{uuid7()}@customers.example")
    password = "!"
    role = "user"


class ServiceClientFactory(DjangoModelFactory[ServiceClient]):
    """A program with every scope of its role."""

    class Meta:
        model = ServiceClient

    client_id = factory.LazyFunction(lambda: f"client-{uuid7()}")
    name = "Shop"
    secret_hash = "!"
    scopes = sorted(ROLES[SERVICE])


def someone(role: str) -> User | ServiceClient:
    """Make a person of a role, or a service client."""
    return ServiceClientFactory.create() if role == SERVICE else CustomerFactory.create(role=role)


def bearer(who: User | ServiceClient) -> str:
    """Sign an access token for a person or program, as an Authorization header holds it."""
    token = sign_access(bearer_id=who.id, role=who.role, permissions=who.permissions)
    return f"Bearer {token}"

"""The people and the client that a sandbox begins with; never made in production."""

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from users.clients import create_service_client
from users.models import ServiceClient, User
from users.roles import Role

PEOPLE = (
    ("alice@example.com", "Alice", Role.USER),
    ("bob@example.com", "Bob", Role.USER),
    ("support@example.com", "Sam Support", Role.SUPPORT),
    ("finance@example.com", "Fay Finance", Role.FINANCE),
    ("admin@example.com", "Ada Admin", Role.ADMIN),
)
SERVICE_CLIENT = "demo-service"


class NotASandbox(Exception):
    """Demo data was asked for where real money is."""


def create_demo_data(*, password: str) -> None:
    """Make the demo accounts where they are missing, and let `password` open all of them.

    The password isn't judged: whoever runs a sandbox may choose a short one. Refuses with NotASandbox.
    """
    if not settings.SANDBOX:
        raise NotASandbox
    with transaction.atomic():
        for email, name, role in PEOPLE:
            person = User.objects.filter(email=email).first() or User(email=email, name=name, role=role)
            if person._state.adding or not check_password(password, person.password):
                person.password = make_password(password)
                person.save()
        client = ServiceClient.objects.filter(client_id=SERVICE_CLIENT).first()
        if client is None:
            create_service_client(client_id=SERVICE_CLIENT, name="Demo service", secret=password)
        elif not check_password(password, client.secret_hash):
            client.secret_hash = make_password(password)
            client.save(update_fields=["secret_hash"])

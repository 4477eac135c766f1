"""`manage.py create_service_client shop-backend --name "Shop"`: make a service client, tell its secret once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from users.clients import create_service_client, rotate_secret
from users.refusals import InvalidInput, NotFound
from users.roles import ROLES, SERVICE


class Command(BaseCommand):
    help = "Create a service client, or give one a new secret. The secret is printed once and kept as a hash."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id", help="what the program logs in with, such as shop-backend")
        parser.add_argument("--name", default="", help="what people call it; the client id by default")
        parser.add_argument(
            "--scope",
            action="append",
            choices=sorted(ROLES[SERVICE]),
            help="a permission that it gets; repeat it for more; all of the role by default",
        )
        parser.add_argument(
            "--rotate-secret",
            action="store_true",
            help="give an existing client a new secret, end its sessions",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        client_id = options["client_id"]
        try:
            if options["rotate_secret"]:
                issued = rotate_secret(client_id=client_id)
            else:
                issued = create_service_client(
                    client_id=client_id,
                    name=options["name"] or client_id,
                    scopes=options["scope"] or ROLES[SERVICE],
                )
        except (InvalidInput, NotFound) as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"client_id={issued.client.client_id}")
        self.stdout.write(f"client_secret={issued.secret}")

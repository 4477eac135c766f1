"""`manage.py create_staff ann@example.com --role finance`: make a member of staff."""

import secrets
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from users.refusals import InvalidInput
from users.registration import create_staff
from users.roles import STAFF_ROLES


class Command(BaseCommand):
    help = "Create a member of staff. Asks for the password, or makes one and prints it once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", required=True, choices=sorted(STAFF_ROLES))
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--generate-password", action="store_true", help="make a password and print it once"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        is_generated = options["generate_password"]
        password = secrets.token_urlsafe(18) if is_generated else getpass("Password: ")
        try:
            user = create_staff(
                email=options["email"], password=password, role=options["role"], name=options["name"]
            )
        except InvalidInput as refusal:
            raise CommandError(
                " ".join(error["detail"] for error in refusal.errors) or refusal.detail
            ) from None
        self.stdout.write(f"email={user.email}")
        if is_generated:
            self.stdout.write(f"password={password}")

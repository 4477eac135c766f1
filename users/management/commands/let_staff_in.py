"""`manage.py let_staff_in ann@example.com --reset-factor`: for the day on which no administrator can log in."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from users.refusals import NotFound
from users.staff import let_in


class Command(BaseCommand):
    help = "Forget the failed log-ins of a member of staff and, where it is asked for, the second factor."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--reset-factor", action="store_true", help="forget the second factor, and end all sessions"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            let_in(email=options["email"], is_factor_reset=options["reset_factor"])
        except NotFound as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"{options['email']} may log in.")

"""Bring the database up to date before the application starts: what a deploy's migrate job runs."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from config.demo import create_demo_data
from events.partitions import make_ahead


class Command(BaseCommand):
    """`manage.py prepare`."""

    help = "Migrate as the owner, make the coming months' partitions and, in a sandbox, the demo accounts."

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate, then make what the application expects to find."""
        call_command("migrate", database="owner", verbosity=options["verbosity"], interactive=False)
        make_ahead()
        if settings.SANDBOX and settings.DEMO_PASSWORD:
            create_demo_data(password=settings.DEMO_PASSWORD)
        self.stdout.write("The database is ready.")

"""Send webhook deliveries again."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.deliveries import redeliver
from events.doorbells import ring
from users.refusals import NotFound


class Command(BaseCommand):
    """`manage.py redeliver_webhook`."""

    help = "Have webhook deliveries sent again now, whatever became of them, with the schedule from its beginning."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the deliveries' ids."""
        parser.add_argument("delivery", type=UUID, nargs="+", help="The id of a delivery.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make each of them due; ends with code 1 when one isn't there."""
        missing = []
        for delivery_id in options["delivery"]:
            try:
                redeliver(delivery_id=delivery_id, owner=None, actor="command")
            except NotFound:
                missing.append(str(delivery_id))
            else:
                self.stdout.write(f"{delivery_id} is due now.")
        ring("events.send_due_webhooks")
        if missing:
            raise CommandError(f"There are no such deliveries: {', '.join(missing)}.")

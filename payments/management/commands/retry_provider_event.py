"""Work off providers' events again."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.doorbells import ring
from payments.inquiries import WORK_OFF_EVENT, work_off_again_by_command
from transactions.refusals import Refusal


class Command(BaseCommand):
    """`manage.py retry_provider_event`."""

    help = "Have providers' events worked off again now that failed, or that wait for their next try."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the events' ids."""
        parser.add_argument("event", type=UUID, nargs="+", help="Our id of a provider's event.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make each of them due and ring for it; ends with code 1 when one was refused."""
        refusals = []
        for event_id in options["event"]:
            try:
                work_off_again_by_command(event_id=event_id)
            except Refusal as refused:
                refusals.append(f"{event_id}: {refused.detail}")
            else:
                ring(WORK_OFF_EVENT, str(event_id))
                self.stdout.write(f"{event_id} is due now.")
        if refusals:
            raise CommandError(" ".join(refusals))

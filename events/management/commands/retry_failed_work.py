"""Have failed work tried again."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.doorbells import ring
from events.failed_work import retry_work_by_command
from events.models import FailedWork


class Command(BaseCommand):
    """`manage.py retry_failed_work`."""

    help = "List the work that keeps failing, or have some of it tried again now."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the ids of failed work."""
        parser.add_argument("work", type=UUID, nargs="*", help="The id of failed work; none lists all of it.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make each of them due and ring for it; ends with code 1 when one isn't there."""
        if not options["work"]:
            for work in FailedWork.objects.order_by("id").iterator():
                self.stdout.write(
                    f"{work.id}  {work.kind} {work.object_id}: {work.tries} tries, {work.error}"
                )
        missing = []
        for work_id in options["work"]:
            bell = retry_work_by_command(work_id=work_id)
            if bell is None:
                missing.append(str(work_id))
                continue
            task, arguments = bell
            ring(task, *arguments)
            self.stdout.write(f"{work_id} is due now.")
        if missing:
            raise CommandError(f"There is no such failed work: {', '.join(missing)}.")

"""Archive the old months of events, audit, API log and deliveries."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.archives import archive_old
from events.partitions import PARTITIONED


class Command(BaseCommand):
    """`manage.py archive_partitions`."""

    help = (
        "Detach old monthly partitions, write each to a compressed CSV file with its checksum, prove the file by "
        "loading it back, and drop the partition."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take --older-than-months and --to; the settings say both otherwise."""
        parser.add_argument(
            "--older-than-months", type=int, help="Keep this many whole months of every table."
        )
        parser.add_argument("--to", type=Path, help="The directory for the files.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Archive, and tell what was archived."""
        directory = options["to"] or (
            Path(settings.ARCHIVE_DIRECTORY) if settings.ARCHIVE_DIRECTORY else None
        )
        if directory is None:
            raise CommandError("Say where the files go: --to DIRECTORY, or ARCHIVE_DIRECTORY.")
        months = options["older_than_months"]
        if months is not None and months < 1:
            raise CommandError("At least one whole month is kept.")
        kept = settings.RETENTION_MONTHS if months is None else dict.fromkeys(PARTITIONED, months)
        archived = list(archive_old(directory=directory, months_kept=kept))
        for one in archived:
            self.stdout.write(f"{one.leaf}: {one.rows} rows in {one.path} ({one.sha256})")
        self.stdout.write(f"{len(archived)} partitions were archived.")

"""`manage.py rotate_keys`: seal every sealed column under the first key of `ENCRYPTION_KEYS`, while all goes on."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tokens.rotation import rotate_column, sealed_columns


class Command(BaseCommand):
    help = (
        "Seals again whatever is sealed under another key than the first of ENCRYPTION_KEYS. Runs beside live "
        "traffic, may be stopped and run again. When it ends well, the other keys may leave the ring."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the size of a batch."""
        parser.add_argument("--batch-size", type=int, default=200, help="rows in one transaction (200)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate column by column; ends with code 1 when a row is left under another key."""
        if options["batch_size"] < 1:
            raise CommandError("--batch-size must be 1 or more.")
        left = 0
        for model, column in sealed_columns():
            done = rotate_column(model=model, column=column, batch_size=options["batch_size"])
            left += done.remaining
            self.stdout.write(
                f"{done.table}.{done.column}: {done.resealed} sealed anew, {done.remaining} left"
            )
            for row_id in done.broken:
                self.stderr.write(f"{done.table}.{done.column}: no key opens row {row_id}")
        if left:
            raise CommandError(
                f"{left} values are still under another key. Keep that key, and run this again."
            )

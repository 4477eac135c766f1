"""Prove the book's invariants; exit code 1 and the first bad rows when one is broken."""

import argparse
import re
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from transactions.integrity import check_books
from transactions.seal_proofs import check_seals
from transactions.seals import last_link

MOST_SHOWN = 20


def noted_checkpoint(value: str) -> tuple[int, str]:
    """Read `NUMBER:DIGEST`, as the log of the sealing task has it."""
    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", value)
    if match is None:
        raise argparse.ArgumentTypeError("expected NUMBER:DIGEST, such as 42:9f86d0…")
    return int(match[1]), match[2]


class Command(BaseCommand):
    """`manage.py check_books`."""

    help = "Prove that the books balance; names the first rows that don't, and then exits with 1."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take --seals and --checkpoint."""
        parser.add_argument(
            "--seals",
            action="store_true",
            help="Prove as well that nothing that was sealed has been changed.",
        )
        parser.add_argument(
            "--checkpoint",
            type=noted_checkpoint,
            metavar="NUMBER:DIGEST",
            help="With --seals: a checkpoint that was noted elsewhere and must be in the chain.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run every proof and print its result."""
        broken = 0
        for proof, breaches in check_books():
            rows = [breach.row for breach in breaches]
            broken += self._tell(f"{proof.name}: {proof.says}", rows)
        if options["seals"] or options["checkpoint"]:
            found = list(islice(check_seals(expected=options["checkpoint"]), MOST_SHOWN))
            broken += self._tell("seals: What was sealed is there and says what it said.", found)
            newest = last_link()
            if newest is not None:
                self.stdout.write(f"       The newest checkpoint is {newest.number}:{newest.digest.hex()}")
        if broken:
            self.stderr.write(f"{broken} invariants are broken.")
            raise SystemExit(1)
        self.stdout.write("The books balance.")

    def _tell(self, proof: str, breaches: list[str]) -> bool:
        self.stdout.write(f"{'BROKEN' if breaches else 'ok    '} {proof}")
        for row in breaches:
            self.stdout.write(f"       {row}")
        return bool(breaches)

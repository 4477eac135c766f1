"""Prove the book's invariants; exit code 1 and the first bad rows when one is broken."""

from typing import Any

from django.core.management.base import BaseCommand

from transactions.integrity import check_books


class Command(BaseCommand):
    """`manage.py check_books`."""

    help = "Prove that the books balance; names the first rows that don't, and then exits with 1."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run every proof and print its result."""
        broken = 0
        for proof, breaches in check_books():
            self.stdout.write(f"{'ok    ' if not breaches else 'BROKEN'} {proof.name}: {proof.says}")
            for breach in breaches:
                self.stdout.write(f"       {breach.row}")
            broken += bool(breaches)
        if broken:
            self.stderr.write(f"{broken} invariants are broken.")
            raise SystemExit(1)
        self.stdout.write("The books balance.")

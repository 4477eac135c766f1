"""The sandbox's clock on the command line."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime
from uuid_utils.compat import uuid7

from events import clock
from events.context import RequestContext, request_context
from payments.clock_moves import move_clock
from transactions.refusals import Refusal

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def span(text: str) -> timedelta:
    """Read `90s`, `15m`, `12h` or `31d`; refuses with ValueError anything else."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if found is None:
        raise ValueError(text)
    return timedelta(seconds=int(found[1]) * UNITS_S[found[2]])


def moment(text: str) -> datetime:
    """Read a moment with its offset from UTC; refuses with ValueError anything else."""
    found = parse_datetime(text)
    if found is None or found.tzinfo is None:
        raise ValueError(text)
    return found


class Command(BaseCommand):
    """`manage.py move_clock`."""

    help = "Move the sandbox's time forward, for all or for a wallet, and do what falls due on the way."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a span or a moment, and perhaps a wallet."""
        goal = parser.add_mutually_exclusive_group(required=True)
        goal.add_argument("--by", type=span, help="How far: 90s, 15m, 12h, 31d.")
        goal.add_argument("--to", type=moment, help="Until when: 2026-12-01T00:00:00Z.")
        parser.add_argument("--wallet", type=UUID, help="Only this wallet's time.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Move the clock and tell what ran; refuses with CommandError outside of a sandbox."""
        if not settings.SANDBOX:
            raise CommandError("Only a sandbox has a clock that can be moved.")
        clock.refresh()
        with request_context(RequestContext(request_id=str(uuid7()))):
            try:
                moved = move_clock(
                    advance=options["by"], to=options["to"], wallet_id=options["wallet"], actor="sandbox"
                )
            except Refusal as refusal:
                raise CommandError(refusal.detail) from refusal
        for one in moved["ran"]:
            self.stdout.write(
                f"{one['at']:%Y-%m-%d %H:%M:%S}  {one['action']}  {one['object_id']}  {one['reason'] or ''}".rstrip()
            )
        self.stdout.write(f"It is {moved['now']:%Y-%m-%d %H:%M:%S} UTC.")

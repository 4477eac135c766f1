"""`manage.py serve_stream`: the process that holds streams of events open."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.stream_server import serve


class Command(BaseCommand):
    help = "Hold streams of events open, for listeners of STREAM_PORT and those that the API's web server hands over."

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGTERM or Ctrl-C."""
        if not settings.STREAM_PORT and not settings.STREAM_SOCKET:
            raise CommandError("Set STREAM_SOCKET or STREAM_PORT: nobody could reach this process.")
        serve(host=settings.STREAM_HOST, port=settings.STREAM_PORT, handover_address=settings.STREAM_SOCKET)

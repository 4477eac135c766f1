"""`manage.py rotate_signing_keys add|promote|retire`: tell the next value of JWT_SIGNING_KEYS."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from users.api.viewsets import JWKS_KEPT_S
from users.key_rotation import add, promote, retire, written
from users.refusals import InvalidInput


class Command(BaseCommand):
    help = "Print the next value of JWT_SIGNING_KEYS. Run add, promote and retire in turn; nothing is changed here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("phase", choices=["add", "promote", "retire"])
        parser.add_argument("--kid", default="", help="the name of the key to add; the moment by default")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = settings.JWT_SIGNING_KEYS
        try:
            if options["phase"] == "add":
                keys = add(keys, kid=options["kid"] or timezone.now().strftime("%Y%m%dT%H%M%S"))
                advice = (
                    "Set it and restart every process. When all run with it, and "
                    f"{JWKS_KEPT_S} seconds later for those who cache the public keys: promote."
                )
            elif options["phase"] == "promote":
                keys = promote(keys)
                longest_s = max(settings.REFRESH_TOKEN_LIFETIME_S, settings.ACCESS_TOKEN_LIFETIME_S)
                advice = (
                    "Set it and restart every process. When all run with it, and "
                    f"{longest_s} seconds later, when the last token of the old key has run out: retire."
                )
            else:
                keys = retire(keys)
                advice = "Set it and restart every process. The rotation is done."
        except InvalidInput as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"JWT_SIGNING_KEYS={written(keys)}")
        self.stderr.write(advice)

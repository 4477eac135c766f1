"""What the sandbox's provider sends, through the same door as real ones: signed, told at least once, read again."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import orjson
from django.conf import settings

from payments.models import SandboxDispute
from payments.senders.bodies import document, part, word
from payments.senders.contract import NOTHING, Concern, Kind, Notice
from payments.senders.timed_signatures import require_signed, sign
from transactions.refusals import InvalidInput

HEADER = "Sandbox-Signature"


class SandboxSender:
    """Tells of disputes, and of nothing outside the sandbox."""

    processors: ClassVar[frozenset[str]] = frozenset({"sandbox"})

    def is_expected(self) -> bool:
        """Whether there is a sandbox."""
        return bool(settings.SANDBOX)

    def read(self, *, raw: bytes, headers: Mapping[str, str], at: datetime) -> Notice:
        """Read an event that the sandbox's provider signed."""
        require_signed(headers.get(HEADER, ""), raw=raw, secrets=[_secret()], at=at)
        event = document(raw)
        event_id, kind = word(event, "id"), word(event, "type")
        if not event_id or not 0 < len(kind) <= 100:
            raise InvalidInput("The body is no event of the sandbox.")
        about = part(event, "object")
        kept = {name: word(about, name) for name in ("id", "charge")}
        return Notice(event_id=event_id, type=kind, body={"object": kept})

    def concern(self, notice: Notice) -> Concern:
        """Tell the dispute."""
        about = part(notice.body, "object")
        if not notice.type.startswith("dispute."):
            return NOTHING
        return Concern(kind=Kind.DISPUTE, reference=word(about, "id"), charge_reference=word(about, "charge"))


def message_of(dispute: SandboxDispute, *, at: datetime) -> tuple[bytes, dict[str, str]]:
    """Write the webhook that tells how a dispute stands: the raw body and its headers."""
    raw = orjson.dumps(
        {
            "id": f"evt_{dispute.id}_{dispute.status}",
            "type": f"dispute.{dispute.status}",
            "object": {"id": str(dispute.id), "charge": str(dispute.charge_id)},
        }
    )
    return raw, {HEADER: sign(raw=raw, secret=_secret(), at=at)}


def _secret() -> str:
    """Give the secret that the sandbox's provider shares with us: made of this installation's own."""
    return hmac.new(settings.SECRET_KEY.encode(), b"sandbox webhooks", hashlib.sha256).hexdigest()

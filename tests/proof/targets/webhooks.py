"""What payment providers send: made-up signatures over any body, and any body that is signed by whose it says it is."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ValidationError

from payments.models import ProviderEvent
from payments.refusals import SignatureInvalid
from payments.senders import basis_theory, sandbox
from payments.senders.registry import sender_of
from payments.senders.timed_signatures import sign
from tests.payments.schemes.apple_forge import NOW, rsa_key
from tests.payments.webhook_senders import STRIPE_SECRET, stripe_event
from tests.proof.targets.contract import READ, REFUSED, Believed, Seed, Target, Way, seed
from transactions.refusals import InvalidInput

UNSET = {"wallet_id", "payment_id", "refund_id", "handled_at"}
BASIS_THEORY_SECRET = "whsec_of_the_tests"
HEADERS = {"basis_theory": "BT-Signature", "sandbox": sandbox.HEADER, "stripe": "Stripe-Signature"}


def configuration(_folder: Path) -> dict[str, Any]:
    """Give the settings under which every sender is listened to."""
    public = rsa_key(10).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "SANDBOX": True,
        "STRIPE_WEBHOOK_SECRETS": (STRIPE_SECRET,),
        "STRIPE_API_KEY": "",
        "BASIS_THEORY_WEBHOOK_SECRET": BASIS_THEORY_SECRET,
        "BASIS_THEORY_WEBHOOK_KEY": public,
    }


def target() -> Target:
    """Make the target around some events of each sender."""
    bodies = {name: tuple(json.dumps(body).encode() for body in events) for name, events in _events().items()}
    ways: dict[str, Way] = {}
    for name in HEADERS:
        ways[f"{name}, signed"] = partial(_read_signed, name)
        ways[f"{name}, shown"] = partial(_read_shown, name, bodies[name])
    return Target(ways, _seeds(ways, bodies), words=_words())


def signature_of(name: str, raw: bytes) -> str:
    """Sign a body as its sender does."""
    if name == "basis_theory":
        digest = hmac.digest(BASIS_THEORY_SECRET.encode(), raw, hashlib.sha256)
        return base64.b64encode(digest).decode()
    secret = STRIPE_SECRET if name == "stripe" else sandbox._secret()
    return sign(raw=raw, secret=secret, at=NOW)


def _receive(name: str, raw: bytes, header: str) -> str:
    """Read an event as the route does, short of the table, and then what it concerns."""
    sender = sender_of(name)
    try:
        notice = sender.read(raw=raw, headers={HEADERS[name]: header}, at=NOW)
    except (SignatureInvalid, InvalidInput):
        return REFUSED
    event = ProviderEvent(
        id=UUID(int=1),
        provider=name,
        event_id=notice.event_id,
        type=notice.type,
        body=notice.body,
        due_at=NOW,
        received_at=NOW,
    )
    try:
        event.clean_fields(exclude=UNSET)
    except ValidationError as problem:
        raise Believed(f"an event that can't be kept: {sorted(problem.message_dict)}") from None
    # The escape of NUL, which no column of PostgreSQL takes.
    if "\\u0000" in json.dumps([notice.event_id, notice.type, notice.body]):
        raise Believed("an event that can't be kept: NUL")
    sender.concern(notice)
    return READ


def _read_signed(name: str, rest: bytes) -> str:
    return _receive(name, rest, signature_of(name, rest))


def _read_shown(name: str, signed: tuple[bytes, ...], rest: bytes) -> str:
    """Read a header up to the first line's end and a body after it; only what was signed may pass."""
    header, _, raw = rest.partition(b"\n")
    outcome = _receive(name, raw, header.decode("latin-1"))
    if outcome == READ and not any(_is_same(name, raw, one) for one in signed):
        raise Believed("an event that nobody signed")
    return outcome


def _is_same(name: str, raw: bytes, signed: bytes) -> bool:
    """Compare bytes, or for the sender who signs what is read, what is read."""
    return raw == signed or (name == "basis_theory" and json.loads(raw) == json.loads(signed))


def _events() -> dict[str, tuple[dict[str, Any], ...]]:
    fixed = {"id": "evt_1", "created": 1793523600}
    about = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "metadata": {"open_wallet_key": "key-1"},
    }
    disputed = {"id": "dp_1", "charge": "ch_1", "payment_intent": {"id": "pi_1"}}
    returned = {"id": "re_1", "charge": "ch_1", "status": "failed", "payment_intent": "pi_1"}
    token = {"id": "e99b3bb9", "type": "token.expired", "data": {"token": {"id": "c06d0789"}, "n": "Zürich"}}
    return {
        "basis_theory": ({"event": token, "delivered_at": "2026-01-15T12:00:05.000Z"},),
        "sandbox": (
            {"id": "evt_1", "type": "dispute.lost", "object": {"id": str(UUID(int=2)), "charge": "ch_1"}},
        ),
        "stripe": (
            stripe_event("payment_intent.succeeded", about, **fixed),
            stripe_event("charge.dispute.created", disputed, **fixed),
            stripe_event("charge.refund.updated", returned, **fixed),
            stripe_event("customer.created", {"id": 1}, **fixed),
        ),
    }


def _seeds(ways: dict[str, Way], bodies: dict[str, tuple[bytes, ...]]) -> dict[str, Seed]:
    write: Callable[[str, bytes, str], Seed] = partial(seed, ways)
    deepest = b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}"
    found = {}
    for name, events in bodies.items():
        for number, raw in enumerate(events):
            header = signature_of(name, raw).encode()
            found[f"{name} {number}, signed"] = write(f"{name}, signed", raw, READ)
            found[f"{name} {number}, shown"] = write(f"{name}, shown", header + b"\n" + raw, READ)
            found[f"{name} {number}, another body"] = write(
                f"{name}, shown", header + b"\n" + raw.replace(b"1", b"2", 1), REFUSED
            )
        found[f"{name}, nested"] = write(f"{name}, signed", deepest, REFUSED)
        found[f"{name}, not an event"] = write(f"{name}, signed", b'{"id": "\\u0000"}', REFUSED)
        found[f"{name}, no signature"] = write(f"{name}, shown", b"\n" + events[0], REFUSED)
    return found


def _words() -> tuple[str, ...]:
    return (
        *("id", "object", "event", "type", "created", "data", "livemode", "metadata", "charge", "status"),
        *("payment_intent", "payment_intent.", "charge.dispute.", "refund.", "charge.refund.", "dispute."),
        *("token", "t=", "v1=", ",v1=", "true", "null"),
        basis_theory.VERSION,
    )

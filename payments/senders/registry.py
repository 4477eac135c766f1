"""Finds the sender that a webhook's path names."""

from payments.senders.basis_theory import BasisTheorySender
from payments.senders.contract import Sender
from payments.senders.sandbox import SandboxSender
from payments.senders.stripe import StripeSender
from transactions.refusals import NotFound

_SENDERS: dict[str, Sender] = {
    "basis_theory": BasisTheorySender(),
    "sandbox": SandboxSender(),
    "stripe": StripeSender(),
}


def sender_of(name: str) -> Sender:
    """Give a sender by its name. Refuses with NotFound one that is unknown, or not set up here."""
    sender = _SENDERS.get(name)
    if sender is None or not sender.is_expected():
        raise NotFound("No webhooks are expected from such a provider.")
    return sender

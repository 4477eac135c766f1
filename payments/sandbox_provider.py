"""The sandbox's provider at work: it sends its webhooks through the door that real ones come by."""

from uuid import UUID

from django.conf import settings

from events.clock import now
from payments.models import SandboxDispute
from payments.processors.contract import DisputeStage
from payments.senders.sandbox import message_of
from payments.webhooks import receive


def deliver_sandbox_webhooks(*, limit: int = 100) -> int:
    """Send what the sandbox's provider has to tell, at most `limit` messages; tells how many. At least once each."""
    if not settings.SANDBOX:
        return 0
    untold = list(SandboxDispute.objects.filter(told_at=None).order_by("created_at")[:limit])
    for dispute in untold:
        raw, headers = message_of(dispute, at=now())
        receive(provider="sandbox", raw=raw, headers=headers)
        # Only as it stands: one that has been decided meanwhile is still to be told.
        SandboxDispute.objects.filter(id=dispute.id, status=dispute.status).update(told_at=now())
    return len(untold)


def decide_sandbox_dispute(*, dispute_id: UUID, is_won: bool) -> None:
    """Let the cardholder's bank decide a dispute of the sandbox."""
    stage = DisputeStage.WON if is_won else DisputeStage.LOST
    SandboxDispute.objects.filter(id=dispute_id).update(status=stage, told_at=None)

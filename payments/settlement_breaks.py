"""Resolving what doesn't agree with a processor's report, by two people: one proposes and says why, another one resolves."""

from typing import Any, Final
from uuid import UUID

from events import audit
from events.clock import now
from payments.models import BreakStatus, Resolution, SettlementBreak
from payments.refusals import BreakNotOpen, BreakNotProposed
from payments.settlement_imports import MAY_RECONCILE
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.refusals import InvalidInput, NotFound, SelfApproval
from users.principals import Principal
from users.standing import staff_member
from wallets.models import Adjustment, AdjustmentStatus

_PROPOSAL: Final = (
    "status",
    "resolution",
    "adjustment",
    "proposed_by",
    "proposed_at",
    "proposal_reason",
)


def as_shown(found: SettlementBreak) -> dict[str, Any]:
    """Give a break's fields as the API names them; amounts in minor units, positive towards us."""
    return {
        "id": found.id,
        "import_id": found.report_id,
        "row_id": found.row_id,
        "transaction_id": found.line_id,
        "processor": found.processor,
        "currency": found.currency,
        "kind": found.kind,
        "expected": found.expected,
        "reported": found.reported,
        "difference": found.difference,
        "status": found.status,
        "resolution": found.resolution,
        "adjustment_id": found.adjustment_id,
        "proposed_by": found.proposed_by,
        "proposed_at": found.proposed_at,
        "proposal_reason": found.proposal_reason,
        "resolved_by": found.resolved_by,
        "resolved_at": found.resolved_at,
        "cleared_at": found.cleared_at,
        "created_at": found.created_at,
    }


def propose_resolution(
    *,
    break_id: UUID,
    resolution: Resolution,
    reason: str,
    adjustment_id: UUID | None,
    principal: Principal,
    call: KeyedCall,
) -> Answer:
    """Say how an open break is resolved; `adjusted` names the adjustment that put the books right.

    `call.render` is given the SettlementBreak. Refuses with PermissionDenied, NotFound, BreakNotOpen and, where the
    adjustment is missing, out of place, of another currency or not completed, InvalidInput, in that order, and as
    `idempotency.once` does.
    """

    def effect() -> Answer:
        person = staff_member(principal=principal, permission=MAY_RECONCILE)
        found = _locked(break_id)
        if found.status != BreakStatus.OPEN:
            raise BreakNotOpen
        found.adjustment = _adjustment(adjustment_id, resolution, found)
        found.status = BreakStatus.PROPOSED
        found.resolution = resolution
        found.proposed_by, found.proposed_at, found.proposal_reason = person.id, now(), reason
        found.save(update_fields=_PROPOSAL)
        _record(found, BreakStatus.OPEN, "proposed", reason=reason, actor=principal.name)
        return store(call, found)

    return once(call, effect)


def resolve_break(*, break_id: UUID, principal: Principal, call: KeyedCall) -> Answer:
    """Resolve a break as somebody else has proposed; `call.render` is given the SettlementBreak.

    Refuses with PermissionDenied, NotFound, BreakNotProposed and SelfApproval, in that order, and as
    `idempotency.once` does.
    """

    def effect() -> Answer:
        person = staff_member(principal=principal, permission=MAY_RECONCILE)
        found = _locked_proposed(break_id)
        if found.proposed_by == person.id:
            raise SelfApproval
        found.status = BreakStatus.RESOLVED
        found.resolved_by, found.resolved_at = person.id, now()
        found.save(update_fields=["status", "resolved_by", "resolved_at"])
        _record(found, BreakStatus.PROPOSED, "resolved", reason=found.proposal_reason, actor=principal.name)
        return store(call, found)

    return once(call, effect)


def send_back(*, break_id: UUID, reason: str, principal: Principal, call: KeyedCall) -> Answer:
    """Open a break again whose proposal doesn't convince; whoever made it may take it back in this way, too.

    `call.render` is given the SettlementBreak. Refuses with PermissionDenied, NotFound and BreakNotProposed, in that
    order, and as `idempotency.once` does.
    """

    def effect() -> Answer:
        staff_member(principal=principal, permission=MAY_RECONCILE)
        found = _locked_proposed(break_id)
        found.status = BreakStatus.OPEN
        found.resolution, found.adjustment = "", None
        found.proposed_by, found.proposed_at, found.proposal_reason = None, None, ""
        found.save(update_fields=_PROPOSAL)
        _record(found, BreakStatus.PROPOSED, "sent_back", reason=reason, actor=principal.name)
        return store(call, found)

    return once(call, effect)


def _locked(break_id: UUID) -> SettlementBreak:
    found = SettlementBreak.objects.select_for_update().filter(id=break_id).first()
    if found is None:
        raise NotFound
    return found


def _locked_proposed(break_id: UUID) -> SettlementBreak:
    found = _locked(break_id)
    if found.status != BreakStatus.PROPOSED:
        raise BreakNotProposed
    return found


def _adjustment(
    adjustment_id: UUID | None, resolution: Resolution, found: SettlementBreak
) -> Adjustment | None:
    if resolution is not Resolution.ADJUSTED:
        if adjustment_id is not None:
            raise InvalidInput("Only a break that was adjusted names an adjustment.", field="adjustment_id")
        return None
    named = Adjustment.objects.filter(currency=found.currency)
    adjustment = named.filter(id=adjustment_id).first() if adjustment_id is not None else None
    if adjustment is None or adjustment.status != AdjustmentStatus.COMPLETED:
        raise InvalidInput("Name a completed adjustment in the currency of the break.", field="adjustment_id")
    return adjustment


def _record(found: SettlementBreak, before: BreakStatus, what: str, *, reason: str, actor: str) -> None:
    audit.record(
        actor=actor,
        action=f"settlement_break.{what}",
        object_type="settlement_break",
        object_id=found.id,
        from_state=before,
        to_state=found.status,
        reason=reason,
        after={"resolution": found.resolution, "difference": found.difference},
    )

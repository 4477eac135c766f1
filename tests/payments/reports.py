"""Settlement reports as a processor writes them, and what came of importing one."""

from datetime import UTC, date, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from events.clock import now
from events.models import AuditEntry
from payments.disputes import apply_dispute, state_of
from payments.models import (
    Payment,
    PaymentKind,
    PaymentMethod,
    Refund,
    RefundStatus,
    ReportFormat,
    Resolution,
    SettlementBreak,
    SettlementImport,
    SettlementRow,
)
from payments.processors.contract import DisputeFacts, DisputeStage, Succeeded
from payments.refund_execution import settle_refund
from payments.settlement_breaks import propose_resolution, resolve_break
from payments.settlement_imports import ReportFile, import_report
from payments.settlement_proofs import SettlementProof, settlement_proofs
from payments.topups import open_payment, settle_payment
from tests.factories.calls import unkeyed
from tests.factories.holds import staff
from tests.factories.money import locked
from tests.payments.refunding import approve, ask_for, now_of
from transactions.idempotency import Answer
from transactions.models import LedgerAccount
from transactions.money import EXPONENTS, Money
from users.principals import Principal

HEADER = "id,type,gross,fee,net,currency,reference,created,payout_id"
STRIPE_HEADER = (
    "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,description,"
    "payment_intent_id,automatic_payout_id"
)


def today() -> date:
    """The day that everything in a test happens on, in UTC."""
    return now().astimezone(UTC).date()


def row(
    row_id: str,
    kind: str,
    gross: int,
    *,
    fee: int = 0,
    reference: str = "",
    currency: str = "USD",
    payout: str = "",
) -> str:
    """Write one row of our own format; amounts in minor units."""
    cells = [Money(amount, currency).major for amount in (gross, fee, gross - fee)]
    return ",".join([row_id, kind, *cells, currency, reference, f"{today()}T00:00:00Z", payout])


def charge_row(payment: Payment, *, gross: int | None = None, fee: int = 0, row_id: str = "") -> str:
    """Write the row of a charge, under the processor's own reference."""
    return row(
        row_id or f"txn_{payment.id}",
        "charge",
        payment.amount if gross is None else gross,
        fee=fee,
        reference=payment.processor_reference,
        currency=payment.currency,
    )


def csv_of(*rows: str, header: str = HEADER) -> bytes:
    """Join rows to a file."""
    return "\r\n".join([header, *rows, ""]).encode()


def file_of(*rows: str, content: bytes | None = None, **facts: Any) -> ReportFile:
    """Make the file of a report of today; `facts` replaces what is said of it."""
    said: dict[str, Any] = {
        "processor": "sandbox",
        "format": ReportFormat.OPEN_WALLET,
        "currency": "",
        "first_day": today(),
        "last_day": today(),
        "file_name": "report.csv",
        "content": csv_of(*rows) if content is None else content,
    }
    return ReportFile(**{**said, **facts})


def brought(*rows: str, by: Principal | None = None, **facts: Any) -> Answer:
    """Import a report; gives the answer."""
    return import_report(file=file_of(*rows, **facts), principal=by or staff("finance"), call=unkeyed())


def imported(*rows: str, by: Principal | None = None, **facts: Any) -> SettlementImport:
    """Import a report; gives it as it was kept."""
    brought(*rows, by=by, **facts)
    return SettlementImport.objects.latest("id")


def breaks_of(report: SettlementImport) -> list[tuple[str, int, int, str]]:
    """Read the breaks that a report opened."""
    found = SettlementBreak.objects.filter(report=report).order_by("id")
    return list(found.values_list("kind", "expected", "reported", "status"))


def matched(report: SettlementImport) -> dict[str, int | None]:
    """Read by the processor's ids what the rows of a report were matched with."""
    found = SettlementRow.objects.filter(report=report)
    return dict(found.values_list("row_reference", "line_amount"))


def proof(processor: str = "sandbox", currency: str = "USD") -> SettlementProof:
    """Read the proof of one processor in one currency."""
    return next(
        found for found in settlement_proofs() if (found.processor, found.currency) == (processor, currency)
    )


def propose(found: SettlementBreak, *, by: Principal | None = None, **facts: Any) -> Answer:
    """Propose that a break is explained; `facts` replaces what is proposed."""
    said: dict[str, Any] = {"resolution": Resolution.EXPLAINED, "reason": "seen", "adjustment_id": None}
    return propose_resolution(
        break_id=found.id, principal=by or staff("finance"), call=unkeyed(), **{**said, **facts}
    )


def resolve(found: SettlementBreak, *, by: Principal | None = None) -> Answer:
    """Resolve a break as somebody else of finance does."""
    return resolve_break(break_id=found.id, principal=by or staff("finance"), call=unkeyed())


YESTERDAY = timedelta(days=1)


def unused_currency() -> str:
    """Give a currency with cents that nobody has used: its books hold what one test does, and nothing else."""
    used = set(
        LedgerAccount.objects.filter(code__startswith="settlement:").values_list("currency", flat=True)
    )
    return next(code for code, digits in EXPONENTS.items() if digits == 2 and code not in used)


def charged(wallet_id: UUID, amount: int) -> Payment:
    """Charge a card into the wallet; the processor calls it `pi_` and our id."""
    with transaction.atomic():
        wallet = locked(wallet_id)
        payment = open_payment(
            wallet=wallet,
            amount=Money(amount, wallet.currency),
            token=None,
            kind=PaymentKind.FUNDING,
            method=PaymentMethod.CARD,
            actor="user:tester",
        )
    outcome = Succeeded(reference=f"pi_{payment.id}", amount=Money(amount, payment.currency))
    settle_payment(payment_id=payment.id, outcome=outcome, actor="user:tester")
    return Payment.objects.get(id=payment.id)


def refunded(payment: Payment, amount: int) -> Refund:
    """Refund a part of a charge to its card; the processor calls it `re_` and our id."""
    refund = ask_for(payment.transaction_id, amount, by=staff("support"))
    approve(refund)
    Refund.objects.filter(id=refund.id).update(status=RefundStatus.PROCESSING)
    outcome = Succeeded(reference=f"re_{refund.id}", amount=Money(amount, payment.currency))
    settle_refund(refund_id=refund.id, outcome=outcome)
    return now_of(refund)


def disputed(payment: Payment, *, withdrawn: int, stage: DisputeStage = DisputeStage.OPEN) -> str:
    """Bring a dispute of the whole charge to a stage; gives the processor's id of it."""
    reference = f"dp_{payment.id}"
    facts = DisputeFacts(
        reference=reference,
        charge_reference=payment.processor_reference,
        amount=Money(payment.amount, payment.currency),
        withdrawn=Money(withdrawn, payment.currency),
        stage=stage,
        reason="fraudulent",
    )
    seen = state_of(processor=payment.processor, reference=reference)
    apply_dispute(payment_id=payment.id, facts=facts, seen=seen, actor="system:test")
    return reference


def only_break(report: SettlementImport) -> SettlementBreak:
    """Read the one break that a report opened."""
    return SettlementBreak.objects.get(report=report)


def steps_of(found: SettlementBreak) -> list[tuple[str, str, str]]:
    """Read what the trail says of a break: actions, states and reasons."""
    entries = AuditEntry.objects.filter(object_type="settlement_break", object_id=str(found.id)).order_by(
        "id"
    )
    return list(entries.values_list("action", "to_state", "reason"))

"""Money that comes from or goes outside: charges, sessions, refunds, top-up rules, what providers tell us,
and what they report of their own books.

The rows are the queue: whatever is under way has a `due_at`, and the sweep looks at it then.
"""

from payments.models.charges import UNDER_WAY, Payment, PaymentKind, PaymentMethod, PaymentStatus
from payments.models.closed_days import ClosedDay, ClosedDayFigure
from payments.models.disputes import Dispute, DisputeStatus
from payments.models.figures import CurrencyFloat, CustomerActivity, FiguresPlace, HourFigures, HourVolume
from payments.models.payment_methods import SavedMethod
from payments.models.provider_events import ProviderEvent
from payments.models.refunds import Refund, RefundReason, RefundStatus
from payments.models.sandbox_books import SandboxCharge, SandboxDispute, SandboxRefund
from payments.models.sessions import PaymentSession, SessionStatus, UsedPaymentToken
from payments.models.settlements import (
    OF_BOOK,
    BreakKind,
    BreakStatus,
    ReportFormat,
    Resolution,
    RowType,
    SettlementBreak,
    SettlementImport,
    SettlementRow,
)
from payments.models.top_up_rules import AutoTopUp

__all__ = [
    "OF_BOOK",
    "UNDER_WAY",
    "AutoTopUp",
    "BreakKind",
    "BreakStatus",
    "ClosedDay",
    "ClosedDayFigure",
    "CurrencyFloat",
    "CustomerActivity",
    "Dispute",
    "DisputeStatus",
    "FiguresPlace",
    "HourFigures",
    "HourVolume",
    "Payment",
    "PaymentKind",
    "PaymentMethod",
    "PaymentSession",
    "PaymentStatus",
    "ProviderEvent",
    "Refund",
    "RefundReason",
    "RefundStatus",
    "ReportFormat",
    "Resolution",
    "RowType",
    "SandboxCharge",
    "SandboxDispute",
    "SandboxRefund",
    "SavedMethod",
    "SessionStatus",
    "SettlementBreak",
    "SettlementImport",
    "SettlementRow",
    "UsedPaymentToken",
]

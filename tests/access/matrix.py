"""Every call of the API: who may make it, and which ids it takes. A route that isn't here fails the tests."""

from dataclasses import dataclass, field
from typing import Any, Literal

from users.roles import AUTHENTICATED, PUBLIC

Kind = Literal[
    "wallet", "transaction", "transfer", "token", "payment", "session", "hold", "adjustment", "refund", "user"
]


@dataclass(frozen=True)
class Call:
    """One method of one path.

    `scope` is the permission that the contract asks for (any of several, PUBLIC or AUTHENTICATED). `body` and
    `query` hold valid input, with `{wallet}` for the caller's own wallet and so on. `foreign` names the fields of
    either that must not name somebody else's thing; every id in the path is one.
    """

    scope: str | tuple[str, ...]
    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()


MONEY = {"amount": 100, "currency": "USD"}
REASON = {"reason": "asked for"}
CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
HOOK = {"url": "http://127.0.0.1:9/hooks", "event_types": ["wallet.created"]}
ROW = {"to_wallet_id": "{receiver}", **MONEY}

MATRIX: dict[tuple[str, str], Call] = {
    ("POST", "/auth/register"): Call(
        PUBLIC, {"email": "{user}@people.example", "password": "a long enough one"}
    ),
    ("POST", "/auth/token"): Call(
        PUBLIC, {"email": "{user}@people.example", "password": "a long enough one"}
    ),
    ("POST", "/auth/token/refresh"): Call(PUBLIC, {"refresh": "x"}),
    ("POST", "/auth/logout"): Call(PUBLIC, {"refresh": "x"}),
    ("GET", "/auth/me"): Call(AUTHENTICATED),
    ("GET", "/auth/me/notifications"): Call(AUTHENTICATED),
    ("PUT", "/auth/me/notifications"): Call(AUTHENTICATED, {"email": {"low_balance": False}}),
    ("GET", "/wallet"): Call("wallet:read", query={"user_id": "{user}"}, foreign=("user_id",)),
    ("POST", "/wallet"): Call("wallet:write", {"currency": "EUR", "user_id": "{user}"}, foreign=("user_id",)),
    ("GET", "/wallet/{wallet}"): Call("wallet:read"),
    ("PATCH", "/wallet/{wallet}"): Call("wallet:write", {"label": "mine"}),
    ("POST", "/wallet/{wallet}/suspend"): Call("wallet:manage", REASON),
    ("POST", "/wallet/{wallet}/reactivate"): Call("wallet:manage", REASON),
    ("POST", "/wallet/{wallet}/close"): Call(("wallet:write", "wallet:manage"), REASON),
    ("GET", "/wallet/{wallet}/limits"): Call("wallet:read"),
    ("PUT", "/wallet/{wallet}/limits"): Call("wallet:manage", {"per_transaction": 1}),
    ("POST", "/wallet/{wallet}/pay"): Call("wallet:write", MONEY),
    ("POST", "/wallet/{wallet}/fund"): Call(
        "payment:write", {**MONEY, "token_id": "{token}"}, foreign=("token_id",)
    ),
    # Whose wallet receives is nobody's business: `to_wallet_id` may be anybody's.
    ("POST", "/wallet/transfer"): Call(
        "wallet:write", {"from_wallet_id": "{wallet}", **ROW}, foreign=("from_wallet_id",)
    ),
    # A batch of several sources answers row by row; a refused row carries the code.
    ("POST", "/wallet/transfer/batch"): Call(
        "wallet:write", {"atomic": False, "transfers": [{"from_wallet_id": "{wallet}", **ROW}]}
    ),
    ("GET", "/wallet/{wallet}/holds"): Call("wallet:read"),
    ("POST", "/wallet/{wallet}/holds"): Call("wallet:write", MONEY),
    ("GET", "/wallet/{wallet}/holds/{hold}"): Call("wallet:read"),
    ("POST", "/wallet/{wallet}/holds/{hold}/capture"): Call("wallet:write", {"amount": 10}),
    ("POST", "/wallet/{wallet}/holds/{hold}/void"): Call(("wallet:write", "wallet:manage"), {}),
    ("GET", "/wallet/{wallet}/transactions"): Call("transaction:read"),
    ("GET", "/wallet/{wallet}/balance"): Call("wallet:read"),
    ("GET", "/wallet/{wallet}/balance/explain"): Call("wallet:read"),
    ("GET", "/wallet/{wallet}/statement"): Call("transaction:read", query={"month": "2026-01"}),
    ("GET", "/wallet/{wallet}/stats"): Call("wallet:read"),
    ("GET", "/transactions"): Call(
        "transaction:read",
        query={"wallet_id": "{wallet}", "transfer_id": "{transfer}"},
        foreign=("wallet_id", "transfer_id"),
    ),
    ("GET", "/transactions/{transaction}"): Call("transaction:read"),
    ("GET", "/transactions/{transaction}/audit"): Call("transaction:read"),
    ("POST", "/transactions/{transaction}/reverse"): Call("transaction:reverse", REASON),
    ("POST", "/admin/wallets/{wallet}/adjustments"): Call("adjustment:request", {**MONEY, **REASON}),
    ("GET", "/admin/customers"): Call("customer:read"),
    ("GET", "/admin/customers/{user}"): Call("customer:read"),
    ("PATCH", "/admin/customers/{user}"): Call("customer:write", {"name": "Ada"}),
    ("POST", "/admin/customers/{user}/deactivate"): Call("customer:write", REASON),
    ("POST", "/admin/customers/{user}/reactivate"): Call("customer:write", REASON),
    ("POST", "/admin/customers/{user}/revoke-sessions"): Call("customer:write", REASON),
    ("GET", "/admin/wallets"): Call(("adjustment:request", "adjustment:decide", "report:read")),
    ("GET", "/admin/transactions"): Call(
        ("adjustment:request", "adjustment:decide", "report:read"),
        query={"wallet_id": "{wallet}", "transfer_id": "{transfer}"},
        foreign=("wallet_id", "transfer_id"),
    ),
    ("GET", "/admin/adjustments"): Call(("adjustment:request", "adjustment:decide", "audit:read")),
    ("POST", "/admin/adjustments/{adjustment}/approve"): Call("adjustment:decide", {}),
    ("POST", "/admin/adjustments/{adjustment}/reject"): Call("adjustment:decide", REASON),
    ("GET", "/admin/dashboard"): Call("report:read", query={"period": "7d"}),
    ("GET", "/admin/reconciliation"): Call("report:read", query={"days": "2"}),
    ("GET", "/admin/reconciliation/imports"): Call("report:read"),
    ("POST", "/admin/reconciliation/imports"): Call(
        "adjustment:decide",
        {
            "processor": "sandbox",
            "format": "open_wallet",
            "first_day": "2026-01-01",
            "last_day": "2026-01-01",
            "content": "",
        },
    ),
    ("GET", "/admin/reconciliation/imports/{import}"): Call("report:read"),
    ("GET", "/admin/reconciliation/proof"): Call("report:read"),
    ("GET", "/admin/reconciliation/breaks"): Call("report:read"),
    ("GET", "/admin/reconciliation/breaks/{break}"): Call("report:read"),
    ("POST", "/admin/reconciliation/breaks/{break}/propose"): Call(
        "adjustment:decide", {"resolution": "explained", **REASON}
    ),
    ("POST", "/admin/reconciliation/breaks/{break}/resolve"): Call("adjustment:decide", {}),
    ("POST", "/admin/reconciliation/breaks/{break}/send-back"): Call("adjustment:decide", REASON),
    ("GET", "/events/stream"): Call("event:read"),
    ("GET", "/admin/audit-log"): Call("audit:read"),
    ("GET", "/admin/failed-work"): Call("settings:manage"),
    ("POST", "/admin/failed-work/{failed_work}/retry"): Call("settings:manage", {}),
    ("GET", "/wallet/{wallet}/auto-top-up"): Call("wallet:read"),
    ("PUT", "/wallet/{wallet}/auto-top-up"): Call(
        "payment:write", {"threshold": 500, "amount": 1000, "token_id": "{token}"}, foreign=("token_id",)
    ),
    ("DELETE", "/wallet/{wallet}/auto-top-up"): Call("payment:write"),
    ("GET", "/wallet/{wallet}/auto-top-up/preview"): Call("wallet:read"),
    ("POST", "/wallet/{wallet}/auto-top-up/pause"): Call(("payment:write", "wallet:manage"), {}),
    ("POST", "/wallet/{wallet}/auto-top-up/resume"): Call("payment:write", {}),
    ("GET", "/payment"): Call("payment:read", query={"wallet_id": "{wallet}"}, foreign=("wallet_id",)),
    ("GET", "/payment/{payment}"): Call("payment:read"),
    ("POST", "/payment/apple-pay/init"): Call(
        "payment:write", {"wallet_id": "{wallet}", **MONEY}, foreign=("wallet_id",)
    ),
    ("POST", "/payment/google-pay/init"): Call(
        "payment:write", {"wallet_id": "{wallet}", **MONEY}, foreign=("wallet_id",)
    ),
    ("POST", "/payment/apple-pay/process"): Call(
        "payment:write", {"session_id": "{session}", "payment_data": {}}, foreign=("session_id",)
    ),
    ("POST", "/payment/google-pay/process"): Call(
        "payment:write", {"session_id": "{googles_session}", "payment_data": {}}, foreign=("session_id",)
    ),
    ("GET", "/payment/session/{session}"): Call("payment:read"),
    ("DELETE", "/payment/session/{session}"): Call("payment:write"),
    ("POST", "/payment/session/{session}/merchant-session"): Call(
        "payment:write",
        {"validation_url": "https://apple-pay-gateway.apple.com/paymentservices/startSession"},
    ),
    # The provider's signature is asked for instead of a token.
    ("POST", "/payment/webhooks/<str:provider>"): Call(PUBLIC),
    ("GET", "/refunds"): Call(
        "refund:read",
        query={"wallet_id": "{wallet}", "transaction_id": "{transaction}"},
        foreign=("wallet_id", "transaction_id"),
    ),
    ("POST", "/refunds"): Call(
        "refund:request",
        {"transaction_id": "{transaction}", "amount": 1, "reason": "other"},
        foreign=("transaction_id",),
    ),
    ("GET", "/refunds/{refund}"): Call("refund:read"),
    ("POST", "/refunds/{refund}/cancel"): Call("refund:request", {}),
    ("GET", "/admin/refunds"): Call(("refund:decide", "adjustment:request", "report:read")),
    ("POST", "/admin/refunds/{refund}/approve"): Call("refund:decide", {}),
    ("POST", "/admin/refunds/{refund}/reject"): Call("refund:decide", REASON),
    ("GET", "/tokens"): Call("token:read", query={"user_id": "{user}"}, foreign=("user_id",)),
    ("POST", "/tokens/card"): Call("token:write", {**CARD, "user_id": "{user}"}, foreign=("user_id",)),
    ("POST", "/tokens/apple-pay"): Call(
        "token:write", {"payment_data": {}, "user_id": "{user}"}, foreign=("user_id",)
    ),
    ("POST", "/tokens/google-pay"): Call(
        "token:write", {"payment_data": {}, "user_id": "{user}"}, foreign=("user_id",)
    ),
    ("GET", "/wallet/{wallet}/payment-methods"): Call("token:read"),
    ("POST", "/wallet/{wallet}/payment-methods"): Call(
        "token:write", {"token_id": "{token}"}, foreign=("token_id",)
    ),
    ("DELETE", "/wallet/{wallet}/payment-methods/{token}"): Call("token:write"),
    ("POST", "/wallet/{wallet}/payment-methods/{token}/default"): Call("token:write", {}),
    ("GET", "/tokens/{token}"): Call("token:read"),
    ("DELETE", "/tokens/{token}"): Call("token:write"),
    ("POST", "/tokens/{token}/validate"): Call("token:write", {}),
    ("GET", "/events"): Call("event:read", query={"wallet_id": "{wallet}"}, foreign=("wallet_id",)),
    ("GET", "/events/{event}"): Call("event:read"),
    ("GET", "/webhook-endpoints"): Call("webhook:manage"),
    ("POST", "/webhook-endpoints"): Call("webhook:manage", HOOK),
    ("GET", "/webhook-endpoints/{webhook_endpoint}"): Call("webhook:manage"),
    ("PATCH", "/webhook-endpoints/{webhook_endpoint}"): Call("webhook:manage", {"description": "mine"}),
    ("DELETE", "/webhook-endpoints/{webhook_endpoint}"): Call("webhook:manage"),
    ("POST", "/webhook-endpoints/{webhook_endpoint}/rotate-secret"): Call(
        "webhook:manage", {"overlap_s": 60}
    ),
    ("GET", "/webhook-endpoints/{webhook_endpoint}/deliveries"): Call("webhook:manage"),
    ("POST", "/webhook-deliveries/{webhook_delivery}/redeliver"): Call("webhook:manage", {}),
}

"""The closed lists of permissions, word for word."""

from users.roles import PERMISSIONS, ROLES

CUSTOMER = {
    "wallet:read",
    "wallet:write",
    "payment:read",
    "payment:write",
    "token:read",
    "token:write",
    "transaction:read",
    "refund:read",
    "refund:request",
    "event:read",
}


def test_when_a_customer_acts_then_these_are_its_permissions() -> None:
    assert ROLES["user"] == CUSTOMER


def test_when_a_service_acts_then_it_may_do_what_customers_may_and_manage() -> None:
    assert ROLES["service"] == CUSTOMER | {
        "wallet:manage",
        "transaction:reverse",
        "customer:read",
        "customer:write",
        "webhook:manage",
    }


def test_when_support_acts_then_it_moves_no_money() -> None:
    assert ROLES["support"] == {
        "wallet:read",
        "wallet:manage",
        "payment:read",
        "token:read",
        "transaction:read",
        "refund:read",
        "refund:request",
        "adjustment:request",
        "customer:read",
        "customer:write",
        "event:read",
    }


def test_when_finance_acts_then_it_decides_about_money() -> None:
    assert ROLES["finance"] == {
        "wallet:read",
        "payment:read",
        "token:read",
        "transaction:read",
        "transaction:reverse",
        "refund:read",
        "refund:request",
        "refund:decide",
        "adjustment:request",
        "adjustment:decide",
        "customer:read",
        "event:read",
        "report:read",
    }


def test_when_an_auditor_acts_then_it_reads_everything_and_writes_nothing() -> None:
    assert ROLES["auditor"] == {permission for permission in PERMISSIONS if permission.endswith(":read")}
    assert {"report:read", "audit:read"} < ROLES["auditor"]


def test_when_an_admin_acts_then_it_has_every_permission() -> None:
    assert ROLES["admin"] == PERMISSIONS
    assert {"staff:manage", "webhook:manage", "settings:manage"} < ROLES["admin"]
    assert set(ROLES) == {"user", "service", "support", "finance", "auditor", "admin"}

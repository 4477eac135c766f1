"""What the payment tables refuse, attacked as the application's role."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from uuid_utils.compat import uuid7

from config.database_grants import PRIVILEGES
from events.clock import now
from payments.models import (
    AutoTopUp,
    Payment,
    PaymentSession,
    ProviderEvent,
    Refund,
    SandboxCharge,
    SandboxRefund,
)
from tests.payments.customers import DECLINED, TIMES_OUT, Customer


@pytest.fixture
def succeeded(customer: Customer) -> Payment:
    customer.top_up(customer.card().id, 2500)
    return customer.payments[0]


@pytest.fixture
def pending(customer: Customer) -> Payment:
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    return customer.payments[0]


def row_of(payment: Payment) -> dict[str, Any]:
    return Payment.objects.filter(id=payment.id).values().get()


def refused(constraint: str, write: Any) -> None:
    with pytest.raises(DatabaseError, match=constraint), transaction.atomic():
        write()


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("payment_never_overrefunded", {"status": "disputed", "refunded_amount": 2501}),
        ("payment_never_overrefunded", {"status": "disputed", "refunded_amount": -1}),
        ("payment_status_fits_refunds", {"status": "refunded", "refunded_amount": 2499}),
        ("payment_status_fits_refunds", {"status": "partially_refunded", "refunded_amount": 2500}),
        ("payment_status_fits_refunds", {"refunded_amount": 1}),
        ("payment_status_fits_refunds", {"status": "paid"}),
        ("payment_under_way_is_due", {"due_at": now()}),
        ("payment_under_way_is_due", {"completed_at": None}),
        ("ends once", {"status": "pending", "due_at": now(), "completed_at": None}),
        ("ends once", {"status": "failed"}),
        ("ends once", {"transfer_id": uuid7()}),
    ],
)
def test_when_a_payment_that_ended_is_altered_then_the_table_says_no(succeeded, constraint, changes):
    before = row_of(succeeded)

    refused(constraint, lambda: Payment.objects.filter(id=succeeded.id).update(**changes))

    assert row_of(succeeded) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 1},
        {"currency": "EUR"},
        {"kind": "top_up"},
        {"method": "apple_pay"},
        {"processor": "stripe"},
        {"processor_key": "other"},
        {"actor": "user:other"},
        {"created_at": now()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_when_what_a_payment_is_about_is_altered_then_the_role_may_not(pending, changes):
    before = row_of(pending)

    refused("permission denied", lambda: Payment.objects.filter(id=pending.id).update(**changes))

    assert row_of(pending) == before


def test_when_the_owner_alters_what_a_payment_is_about_then_the_trigger_says_no(pending):
    from django.db import connections

    with (
        connections["owner"].cursor() as cursor,
        pytest.raises(DatabaseError, match="keeps what it is about"),
    ):
        cursor.execute("UPDATE payments_payment SET amount = 1 WHERE id = %s", [pending.id])

    assert row_of(pending)["amount"] == 2500


@pytest.mark.parametrize(
    "table", ["payments_payment", "payments_refund", "payments_sandboxcharge", "payments_sandboxrefund"]
)
@pytest.mark.parametrize("attack", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize(("alias", "answer"), [("default", "permission denied"), ("owner", "is refused")])
def test_when_proof_of_money_is_deleted_then_it_stays(succeeded, table, attack, alias, answer):
    from django.db import connections

    Refund.objects.create(**refund_fields(succeeded))
    charge = SandboxCharge.objects.get(key=succeeded.processor_key)
    SandboxRefund.objects.create(
        key=f"refund-{uuid7()}", charge=charge, amount=1, status="succeeded", created_at=now()
    )
    before = Payment.objects.count()

    with connections[alias].cursor() as cursor, pytest.raises(DatabaseError, match=answer):
        cursor.execute(attack.format(table))

    assert Payment.objects.count() == before


def test_when_two_top_ups_of_a_wallet_are_open_then_the_table_says_no(customer, pending):
    copied = {**row_of(pending), "kind": "top_up"}
    first, second = (
        {
            **copied,
            "id": uuid7(),
            "processor_key": str(uuid7()),
            "transaction_id": uuid7(),
            "transfer_id": uuid7(),
        }
        for _ in range(2)
    )
    Payment.objects.create(**first)

    refused("payment_one_open_top_up_by_wallet", lambda: Payment.objects.create(**second))


@pytest.mark.parametrize(
    "unique", ["processor_key", "transaction_id", "transfer_id", "payment_by_processor_reference"]
)
def test_when_two_payments_claim_one_charge_then_the_table_says_no(succeeded, unique):
    fresh = {
        "id": uuid7(),
        "processor_key": str(uuid7()),
        "transaction_id": uuid7(),
        "transfer_id": uuid7(),
        "processor_reference": str(uuid7()),
    }
    fresh.pop("processor_reference" if unique == "payment_by_processor_reference" else unique)

    refused(unique, lambda: Payment.objects.create(**{**row_of(succeeded), **fresh}))


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("payment_amount_is_positive", {"amount": 0}),
        ("payment_kind_is_known", {"kind": "gift"}),
        ("payment_method_is_known", {"method": "cash"}),
    ],
)
def test_when_a_payment_is_nonsense_then_the_table_says_no(pending, constraint, changes):
    fresh = {"id": uuid7(), "processor_key": str(uuid7()), "transaction_id": uuid7(), "transfer_id": uuid7()}

    refused(constraint, lambda: Payment.objects.create(**{**row_of(pending), **fresh, **changes}))


def refund_fields(payment: Payment, **changes: Any) -> dict[str, Any]:
    return {
        "wallet_id": payment.wallet_id,
        "payment_id": payment.id,
        "transaction_id": payment.transaction_id,
        "amount": 100,
        "currency": "USD",
        "reason": "other",
        "requested_by": uuid7(),
        "processor_key": f"refund-{uuid7()}",
        "created_at": now(),
        **changes,
    }


SOMEBODY = uuid7()


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("refund_amount_is_positive", {"amount": 0}),
        ("refund_reason_is_known", {"reason": "whim"}),
        ("refund_decided_has_time", {"status": "lost", "decided_by": uuid7(), "decided_at": now()}),
        (
            "refund_decided_by_another",
            {
                "requested_by": SOMEBODY,
                "decided_by": SOMEBODY,
                "decided_at": now(),
                "status": "approved",
                "due_at": now(),
            },
        ),
        ("refund_decided_has_time", {"status": "rejected"}),
        (
            "refund_under_way_is_due",
            {"status": "processing", "decided_by": uuid7(), "decided_at": now()},
        ),
        (
            "refund_decided_by_somebody",
            {"status": "approved", "decided_at": now(), "due_at": now()},
        ),
        (
            "refund_decided_by_somebody",
            {
                "status": "approved",
                "decided_by": uuid7(),
                "is_auto_approved": True,
                "decided_at": now(),
                "due_at": now(),
            },
        ),
        ("refund_decided_by_somebody", {"is_auto_approved": True, "decided_by": uuid7()}),
    ],
)
def test_when_a_refund_breaks_a_rule_then_the_table_says_no(succeeded, constraint, changes):
    refused(constraint, lambda: Refund.objects.create(**refund_fields(succeeded, **changes)))

    assert Refund.objects.filter(wallet_id=succeeded.wallet_id).count() == 0


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        ({"status": "cancelled"}, {"status": "pending"}),
        (
            {"status": "completed", "decided_by": SOMEBODY, "decided_at": now()},
            {"status": "approved", "due_at": now()},
        ),
        (
            {"status": "approved", "decided_by": SOMEBODY, "decided_at": now(), "due_at": now()},
            {"decided_by": uuid7()},
        ),
    ],
    ids=["reopened", "undone", "decided twice"],
)
def test_when_a_refund_goes_backwards_then_the_trigger_says_no(succeeded, start, changes):
    refund = Refund.objects.create(**refund_fields(succeeded, **start))

    refused("ends once", lambda: Refund.objects.filter(id=refund.id).update(**changes))


def test_when_a_request_is_made_one_that_a_setting_approves_then_the_role_may_not(succeeded):
    refund = Refund.objects.create(**refund_fields(succeeded))

    refused("permission denied", lambda: Refund.objects.filter(id=refund.id).update(is_auto_approved=True))


def session_fields(customer: Customer, **changes: Any) -> dict[str, Any]:
    return {
        "wallet_id": customer.wallet_id,
        "user_id": customer.user.id,
        "scheme": "apple_pay",
        "amount": 2500,
        "currency": "USD",
        "nonce": str(uuid7()),
        "actor": customer.actor,
        "created_at": now(),
        "expires_at": now() + timedelta(minutes=15),
        **changes,
    }


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("session_amount_is_positive", {"amount": 0}),
        ("session_scheme_is_known", {"scheme": "cash"}),
        ("session_consumed_by_a_payment", {"status": "consumed", "closed_at": now()}),
        ("session_consumed_by_a_payment", {"status": "expired"}),
    ],
)
def test_when_a_session_breaks_a_rule_then_the_table_says_no(customer, constraint, changes):
    refused(constraint, lambda: PaymentSession.objects.create(**session_fields(customer, **changes)))


def test_when_a_session_is_closed_then_it_can_not_be_used_again(customer, succeeded):
    session = PaymentSession.objects.create(**session_fields(customer, status="cancelled", closed_at=now()))
    consumed = {"status": "consumed", "payment": succeeded, "closed_at": now()}

    refused("closed once", lambda: PaymentSession.objects.filter(id=session.id).update(**consumed))


def test_when_one_payment_would_consume_two_sessions_then_the_table_says_no(customer, succeeded):
    consumed = {"status": "consumed", "payment": succeeded, "closed_at": now()}
    PaymentSession.objects.create(**session_fields(customer, **consumed))

    refused("payment_id", lambda: PaymentSession.objects.create(**session_fields(customer, **consumed)))


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("auto_top_up_amount_is_positive", {"amount": 0}),
        ("auto_top_up_threshold_not_negative", {"threshold": -1}),
        ("auto_top_up_limit_is_positive", {"monthly_limit": 0}),
        ("auto_top_up_has_an_occasion", {"threshold": None}),
    ],
)
def test_when_a_top_up_rule_is_nonsense_then_the_table_says_no(customer, constraint, changes):
    fields = {
        "wallet_id": customer.wallet_id,
        "token_id": customer.card().id,
        "threshold": 100,
        "amount": 1000,
        "created_at": now(),
        "updated_at": now(),
        **changes,
    }

    refused(constraint, lambda: AutoTopUp.objects.create(**fields))


def test_when_a_provider_tells_one_event_twice_then_it_is_kept_once(committed):
    event_id = f"evt_{uuid7()}"
    fields = {"provider": "stripe", "event_id": event_id, "type": "x", "body": {}, "received_at": now()}
    ProviderEvent.objects.create(**fields)

    refused("provider_event_once", lambda: ProviderEvent.objects.create(**fields))
    refused(
        "provider_event_status_is_known",
        lambda: ProviderEvent.objects.create(**{**fields, "event_id": str(uuid7()), "status": "odd"}),
    )


def test_when_the_sandbox_books_are_nonsense_then_the_tables_say_no(customer, succeeded):
    charge = SandboxCharge.objects.get(key=succeeded.processor_key)
    fields = {
        "amount": 1,
        "currency": "USD",
        "status": "succeeded",
        "behaviour": "succeeds",
        "created_at": now(),
    }

    def charged(**changes: Any) -> None:
        SandboxCharge.objects.create(**{**fields, "key": str(uuid7()), **changes})

    def given_back(**changes: Any) -> None:
        named = {
            "key": str(uuid7()),
            "charge": charge,
            "amount": 1,
            "status": "succeeded",
            "created_at": now(),
        }
        SandboxRefund.objects.create(**{**named, **changes})

    refused("key", lambda: charged(key=charge.key))
    refused("sandbox_charge_amount_is_positive", lambda: charged(amount=0))
    refused("sandbox_charge_status_is_known", lambda: charged(status="declined"))
    refused("sandbox_refund_amount_is_positive", lambda: given_back(amount=0))
    refused("sandbox_refund_status_is_known", lambda: given_back(status="failed"))


def test_when_a_declined_payment_is_put_under_way_again_then_the_trigger_says_no(customer):
    customer.top_up(customer.card(DECLINED).id, 2500)
    failed = customer.payments[0]
    again = {"status": "pending", "due_at": now(), "completed_at": None}

    with pytest.raises(IntegrityError, match="ends once"):
        Payment.objects.filter(id=failed.id).update(**again)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("payments_payment", "wallet_id, id DESC"),
        ("payments_payment", "user_id, id DESC"),
        ("payments_payment", "status, created_at"),
        ("payments_payment", "due_at"),
        ("payments_refund", "wallet_id, id DESC"),
        ("payments_refund", "status, created_at"),
        ("payments_refund", "transaction_id"),
        ("payments_refund", "due_at"),
        ("payments_paymentsession", "expires_at"),
        ("payments_autotopup", "due_at"),
        ("payments_autotopup", "next_run_at"),
        ("payments_providerevent", "due_at"),
    ],
)
def test_when_the_tables_are_searched_as_the_api_does_then_an_index_begins_so(committed, table, columns):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table])
        definitions = [row[0] for row in cursor.fetchall()]

    assert any(f"({columns})" in definition for definition in definitions)


def test_when_the_role_is_granted_the_tables_then_it_may_delete_methods_alone():
    ours = {table: privileges for table, privileges in PRIVILEGES.items() if table.startswith("payments_")}

    assert [table for table, privileges in ours.items() if "DELETE" in privileges] == [
        "payments_savedmethod",
    ]

"""Payments in the back office."""

import pytest
from django.contrib import admin
from django.test import RequestFactory

from payments.admin import PaymentScreen
from payments.models import Payment
from payments.sandbox_provider import deliver_sandbox_webhooks
from payments.webhooks import sweep_due_events
from tests.payments.customers import DECLINED, IS_DISPUTED, Customer
from users.models import User


@pytest.fixture
def screen() -> PaymentScreen:
    return PaymentScreen(Payment, admin.site)


@pytest.mark.parametrize(
    "by", ["id", "transaction_id", "transfer_id", "wallet_id", "user_id", "token_id", "processor_reference"]
)
def test_when_a_payment_is_searched_by_any_id_then_it_alone_is_found(customer, screen, by):
    customer.top_up(customer.card().id, 2500)
    other = Customer.with_wallet("USD")
    other.top_up(other.card().id, 2500)
    wanted = customer.payments[0]
    request = RequestFactory().get("/")

    found, _ = screen.get_search_results(request, screen.get_queryset(request), str(getattr(wanted, by)))

    assert [payment.id for payment in found] == [wanted.id]


def test_when_a_payment_is_searched_by_its_owners_address_then_it_is_found(customer, screen):
    customer.top_up(customer.card().id, 2500)
    request = RequestFactory().get("/")

    found, _ = screen.get_search_results(request, screen.get_queryset(request), customer.user.email.upper())

    assert [payment.id for payment in found] == [customer.payments[0].id]


def test_when_a_payment_is_looked_at_then_nobody_changes_it(customer, screen):
    customer.top_up(customer.card(DECLINED).id, 2500)
    payment = customer.payments[0]
    request = RequestFactory().get("/")

    assert screen.has_change_permission(request, payment) is False
    assert screen.has_add_permission(request) is False
    assert screen.has_delete_permission(request, payment) is False
    assert screen.reason(payment) == "generic_decline"
    assert [figure.label for figure in screen.figures(payment)] == ["Amount", "Refunded"]
    assert len(screen.panels(payment)[0].rows) == 1
    shown = screen.get_readonly_fields(request, payment)
    values = {name: getattr(screen, name)(payment) for name in shown if hasattr(screen, name)}
    assert str(payment.transfer_id) in values["transfer_key"]
    assert "failed" in values["status_label"]


def test_when_a_charge_waits_for_its_customer_then_staff_see_for_what_and_not_the_secret(customer, screen):
    customer.top_up(customer.card().id, 2500)
    payment = customer.payments[0]
    payment.next_action = {"type": "use_stripe_sdk", "client_secret": "pi_1_secret_2"}

    shown = screen.get_readonly_fields(RequestFactory().get("/"), payment)

    assert screen.awaited(payment) == "use_stripe_sdk"
    assert "next_action" not in shown


def test_when_a_charge_is_disputed_then_its_screen_tells_how_the_dispute_stands(customer, screen):
    customer.top_up(customer.card(IS_DISPUTED).id, 2500)
    deliver_sandbox_webhooks()
    sweep_due_events(limit=10_000)

    disputes, _changes = screen.panels(customer.payments[0])

    assert (disputes.title, len(disputes.rows)) == ("Disputes", 1)
    assert "open" in str(disputes.rows[0][2])


def test_when_staff_look_then_the_owner_is_masked_and_leads_to_the_customers_page(customer, screen):
    customer.top_up(customer.card().id, 2500)
    User.objects.filter(id=customer.user.id).update(email="ada.lovelace@example.com")

    shown = screen.owner(Payment.objects.get(id=customer.payments[0].id))

    assert shown == f'<a href="/admin/customers/{customer.user.id}/">a•••@example.com</a>'

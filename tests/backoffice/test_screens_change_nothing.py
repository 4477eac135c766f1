"""Whatever is posted to a screen of the back office, nothing changes."""

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse

from tests.backoffice.conftest import Scene
from tests.factories.books import nothing_moves
from tests.factories.people import CustomerFactory, someone
from transactions.models import LedgerAccount
from users.models import User
from users.roles import ROLES, STAFF_ROLES

SCREENS = sorted(model._meta.label_lower for model in admin.site._registry)
# Any one of these permissions opens the screen; where there is none, all of the staff may look.
NEEDED: dict[str, tuple[str, ...]] = {
    "events.auditentry": ("audit:read",),
    "events.event": ("event:read",),
    "events.failedwork": (),
    "events.notification": ("customer:read",),
    "events.webhookdelivery": ("event:read",),
    "events.webhookendpoint": ("event:read",),
    "tokens.paymenttoken": ("token:read",),
    "transactions.ledgeraccount": ("transaction:read",),
    "transactions.transaction": ("transaction:read",),
    "transactions.transfer": ("transaction:read",),
    # What programs may do is no business of those who help customers.
    "users.serviceclient": ("staff:manage", "audit:read"),
    "users.user": (),
}


def test_when_screens_are_listed_then_each_stands_here_with_what_opens_it() -> None:
    assert sorted(NEEDED) == SCREENS
    assert {
        model._meta.label_lower: tuple(s.permissions) for model, s in admin.site._registry.items()
    } == NEEDED  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
@pytest.mark.parametrize("label", SCREENS)
def test_when_a_role_opens_a_list_then_its_permission_decides(db: None, label: str, role: str) -> None:
    client = Client()
    client.force_login(someone(role))
    may = not NEEDED[label] or not ROLES[role].isdisjoint(NEEDED[label])

    answer = client.get(reverse(f"admin:{label.replace('.', '_')}_changelist"))

    assert (answer.status_code != 403) is may


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
@pytest.mark.parametrize("label", SCREENS)
@pytest.mark.django_db
def test_when_staff_look_then_they_may_view_and_nothing_else(label: str, role: str) -> None:
    request = RequestFactory().get("/admin/")
    request.user = someone(role)
    screen = next(s for model, s in admin.site._registry.items() if model._meta.label_lower == label)

    permissions = screen.get_model_perms(request)

    assert permissions == {
        "add": False,
        "change": False,
        "delete": False,
        "view": not NEEDED[label] or not ROLES[role].isdisjoint(NEEDED[label]),
    }
    assert screen.get_actions(request) == {}


@pytest.mark.parametrize("label", SCREENS)
def test_when_something_is_posted_to_be_added_then_it_is_refused(
    staff: Client, scene: Scene, label: str
) -> None:
    url = reverse(f"admin:{label.replace('.', '_')}_add")

    with nothing_moves():
        answer = staff.post(url, {"amount": "1000000", "balance": "1000000", "role": "admin"})

    assert answer.status_code == 403


@pytest.mark.parametrize("action", ["change", "delete"])
@pytest.mark.parametrize(
    ("label", "which"),
    [
        ("transactions.ledgeraccount", "alices_wallet"),
        ("transactions.transfer", "transfer"),
        ("transactions.transaction", "debit"),
    ],
)
def test_when_something_is_posted_to_a_thing_of_money_then_it_is_refused(
    staff: Client, scene: Scene, label: str, which: str, action: str
) -> None:
    url = reverse(f"admin:{label.replace('.', '_')}_{action}", args=[getattr(scene, which)])

    with nothing_moves():
        answer = staff.post(url, {"post": "yes", "status": "closed", "amount": "1", "balance": "1"})

    assert answer.status_code == 403


@pytest.mark.parametrize("action", ["change", "delete"])
def test_when_something_is_posted_to_a_colleague_then_it_is_refused(
    staff: Client, db: None, action: str
) -> None:
    colleague = someone("support")
    before = User.objects.filter(pk=colleague.pk).values().get()
    url = reverse(f"admin:users_user_{action}", args=[colleague.pk])

    answer = staff.post(url, {"post": "yes", "role": "admin", "email": "mallory@example.com"})

    assert answer.status_code == 403
    assert User.objects.filter(pk=colleague.pk).values().get() == before


def test_when_a_bulk_action_is_posted_to_a_list_then_nothing_is_deleted(staff: Client, scene: Scene) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [str(scene.alices_wallet)], "post": "yes"}

    with nothing_moves():
        staff.post(reverse("admin:transactions_ledgeraccount_changelist"), chosen)

    assert LedgerAccount.objects.filter(pk=scene.alices_wallet).exists()


@pytest.mark.parametrize("path", ["/admin/", "/admin/events/event/", "/admin/search/?q=x"])
def test_when_a_customer_has_a_session_then_the_back_office_stays_shut(db: None, path: str) -> None:
    client = Client()
    client.force_login(CustomerFactory.create())

    answer = client.get(path)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


def test_when_passwords_are_to_be_changed_then_it_is_not_done_here(staff: Client) -> None:
    answer = staff.get("/admin/password_change/")

    assert answer.status_code == 404

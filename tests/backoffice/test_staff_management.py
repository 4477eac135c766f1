"""The staff, looked after by administrators: each change with a reason and a record, none on one's own account."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from config.value_forms import Rate
from events.models import AuditEntry
from tests.factories.books import nothing_moves
from tests.factories.people import CustomerFactory, someone
from tests.factories.staff import PASSWORD, code_of, enrol, let_proof_grow_old, log_in, member
from users.login_attempts import account_subject
from users.models import LoginAttempts, SecondFactor, StaffSession, User
from users.staff_sessions import open_sessions

pytestmark = pytest.mark.django_db
STAFF = "/admin/staff/"
ACTIONS = ["role", "deactivate", "reactivate", "reset-factor", "unlock", "sign-out", "invite-again"]


@pytest.fixture
def ada() -> User:
    return member("admin", name="Ada")


@pytest.fixture
def desk(ada: User) -> Client:
    return log_in(ada)


def act(desk: Client, person: User, action: str, **form: str) -> str:
    """Send one action's form, and give the page that it leads to."""
    sent = {"reason": "as agreed", "key": str(uuid7()), **form}
    return desk.post(f"{STAFF}{person.id}/{action}/", sent, follow=True).content.decode()


def told(person: User) -> list[tuple[str, str, str]]:
    """What was done about somebody, by whom and why."""
    entries = AuditEntry.objects.filter(object_type="user", object_id=str(person.id)).order_by("id")
    return [
        (entry.actor.partition(":")[0], entry.action, entry.reason)
        for entry in entries
        if entry.actor.startswith("admin:") and not entry.action.endswith("viewed")
    ]


def test_when_the_staff_are_listed_then_customers_are_not_among_them(desk, ada):
    customer, finance = CustomerFactory.create(), member("finance")
    enrol(finance)

    everybody = desk.get(STAFF).content.decode()
    only_finance = desk.get(STAFF, {"role": "finance"}).content.decode()

    listed = everybody[everybody.index("<tbody") : everybody.index("</tbody>")]
    assert customer.email not in everybody
    assert (finance.email in listed, ada.email in listed) == (True, True)
    assert ada.email not in only_finance[only_finance.index("<tbody") :]
    assert "in use" in only_finance
    assert desk.get(f"{STAFF}{customer.id}/").status_code == 404


def test_when_somebody_is_invited_then_they_choose_a_password_once_and_are_in(desk, ada, mailoutbox):
    form = {"email": "New@Example.com", "name": "Nia", "role": "support", "reason": "starts on Monday"}
    page = desk.post(f"{STAFF}invite/", form).content.decode()
    person = User.objects.get(email="new@example.com")
    link = re.search(r"http://[^<\s]+/admin/invitation/[^<\s]+", page)[0]
    path = link[link.index("/admin/") :]
    new = {"new_password": "a quite new horse", "again": "a quite new horse"}

    before = log_in(person).get("/admin/").status_code
    shown = Client().get(path).content.decode()
    taken = Client().post(path, new)
    again = Client().post(path, {"new_password": "another new horse", "again": "another new horse"})

    assert link in mailoutbox[0].body
    assert mailoutbox[0].to == ["new@example.com"]
    assert (before, taken.status_code, again.status_code) == (302, 302, 404)
    assert "new@example.com" in shown
    assert log_in(person, password="a quite new horse").get("/admin/").status_code == 200
    assert told(person) == [("admin", "user.invited", "starts on Monday")]
    kept = AuditEntry.objects.get(object_id=str(person.id), action="user.invited")
    assert (kept.actor, kept.after) == (f"admin:{ada.id}", {"role": "support"})


def test_when_mail_is_sent_in_production_then_the_link_is_the_persons_alone(desk, settings, mailoutbox):
    settings.SANDBOX = False

    page = desk.post(
        f"{STAFF}invite/", {"email": "new@example.com", "role": "support", "reason": "x"}
    ).content.decode()

    assert "/admin/invitation/" not in page
    assert "/admin/invitation/" in mailoutbox[0].body


def test_when_no_mail_gets_through_then_the_link_is_shown(desk, settings, monkeypatch):
    settings.SANDBOX = False

    def refuse(self, messages):
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)

    page = desk.post(
        f"{STAFF}invite/", {"email": "new@example.com", "role": "support", "reason": "x"}
    ).content.decode()

    assert "/admin/invitation/" in page


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"email": "no address"}, "valid email"),
        ({"email": f"{'a' * 300}@example.com"}, "too long"),
        ({"role": "user"}, "no role of the staff"),
        ({"role": "root"}, "no role of the staff"),
        ({"reason": "  "}, "Say why"),
        ({"name": "n" * 121}, "at most 120"),
        ({"email": "taken@example.com"}, "registered already"),
    ],
)
def test_when_an_invitation_will_not_do_then_nobody_is_made_and_the_form_is_kept(desk, changes, problem):
    CustomerFactory.create(email="taken@example.com")
    form = {"email": "new@example.com", "name": "Nia", "role": "support", "reason": "x", **changes}

    with nothing_moves():
        answer = desk.post(f"{STAFF}invite/", form)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert problem in page
    assert f'value="{form["email"]}"' in page
    assert not User.objects.filter(email="new@example.com").exists()


@pytest.mark.parametrize("token", ["nonsense", "a:b:c", "W10:1abc:xyz"])
def test_when_an_invitation_is_forged_then_it_is_none(token):
    assert Client().get(f"/admin/invitation/{token}/").status_code == 404


def test_when_an_invitation_is_four_days_old_then_it_is_none(desk):
    page = desk.post(f"{STAFF}invite/", {"email": "new@example.com", "role": "support", "reason": "x"})
    path = re.search(r"/admin/invitation/[^<\s]+", page.content.decode())[0]

    with time_machine.travel(timezone.now() + timedelta(days=4)):
        assert Client().get(path).status_code == 404


def test_when_a_role_is_changed_then_it_holds_at_once_and_sessions_end(desk, ada):
    person = member("support")
    browser = log_in(person)

    page = act(desk, person, "role", role="finance", reason="moved to finance")

    person.refresh_from_db()
    assert "The role is changed." in page
    assert person.role == "finance"
    assert browser.get("/admin/").status_code == 302
    assert told(person) == [("admin", "user.role_changed", "moved to finance")]
    entry = AuditEntry.objects.get(object_id=str(person.id), action="user.role_changed")
    assert (entry.before, entry.after) == ({"role": "support"}, {"role": "finance"})


def test_when_somebody_is_switched_off_and_on_then_they_are_out_and_may_come_again(desk):
    person = member("support")
    browser = log_in(person)

    act(desk, person, "deactivate")
    off = browser.get("/admin/").status_code, log_in(person).get("/admin/").status_code
    act(desk, person, "reactivate")

    assert off == (302, 302)
    assert browser.get("/admin/").status_code == 302
    assert log_in(person).get("/admin/").status_code == 200
    assert [action for _, action, _ in told(person)] == ["user.deactivated", "user.reactivated"]


def test_when_a_second_factor_is_reset_then_the_old_codes_are_worth_nothing(desk):
    person = member("support")
    secret, _ = enrol(person)
    browser = log_in(person)
    browser.post("/admin/account/second-factor/show/", {"code": code_of(secret)})

    act(desk, person, "reset-factor", reason="phone lost, called back")

    assert not SecondFactor.objects.filter(user=person).exists()
    assert browser.get("/admin/").status_code == 302
    assert log_in(person).get("/admin/").status_code == 200
    assert told(person) == [("admin", "factor.reset", "phone lost, called back")]


def test_when_somebody_is_locked_out_then_the_page_says_until_when_and_unlocks(desk, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": Rate(2, 600)}
    person = member("support")
    for number in range(3):
        Client(REMOTE_ADDR=f"192.0.2.{number}").post(
            "/admin/login/", {"username": person.email, "password": "guess"}
        )

    shut = log_in(person).get("/admin/").status_code
    page = desk.get(f"{STAFF}{person.id}/").content.decode()
    done = act(desk, person, "unlock", reason="it was him")

    assert shut == 302
    assert "Locked out after too many wrong passwords" in page
    assert "Locked out" not in done
    assert log_in(person).get("/admin/").status_code == 200
    assert told(person) == [("admin", "login.unlocked", "it was him")]


def test_when_an_address_is_locked_then_it_is_listed_and_unlocked(desk, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": Rate(2, 600)}
    for number in range(2):
        Client(REMOTE_ADDR="192.0.2.7").post(
            "/admin/login/", {"username": f"{number}@example.com", "password": "guess"}
        )

    listed = desk.get(STAFF).content.decode()
    refused = desk.post(f"{STAFF}addresses/unlock/", {"address": "192.0.2.7"}, follow=True).content.decode()
    still = LoginAttempts.objects.filter(subject="address:192.0.2.7").exists()
    done = desk.post(
        f"{STAFF}addresses/unlock/", {"address": "192.0.2.7", "reason": "our office"}, follow=True
    ).content.decode()

    assert "192.0.2.7" in listed
    assert "Say why" in refused
    assert still
    assert "192.0.2.7" not in done
    entry = AuditEntry.objects.get(action="login.unlocked")
    assert (entry.object_type, entry.object_id, entry.reason) == ("login_address", "192.0.2.7", "our office")


def test_when_an_administrator_ends_one_session_or_all_then_those_browsers_are_out(desk):
    person = member("support")
    first, second, third = log_in(person), log_in(person), log_in(person)
    oldest = StaffSession.objects.filter(user=person).earliest("id")

    desk.post(f"{STAFF}{person.id}/sessions/{oldest.id}/end/", {"reason": "unknown device"})
    one = [browser.get("/admin/").status_code for browser in (first, second, third)]
    act(desk, person, "sign-out")

    assert one == [302, 200, 200]
    assert [browser.get("/admin/").status_code for browser in (second, third)] == [302, 302]
    assert open_sessions(person.id, now=timezone.now()).count() == 0


def test_when_a_password_is_lost_then_the_old_one_ends_and_another_is_chosen(desk):
    person = member("support")
    browser = log_in(person)

    page = act(desk, person, "invite-again", reason="forgotten")

    path = re.search(r"/admin/invitation/[^<\s]+", page)[0]
    Client().post(path, {"new_password": "a quite new horse", "again": "a quite new horse"})
    assert browser.get("/admin/").status_code == 302
    assert log_in(person).get("/admin/").status_code == 302
    assert log_in(person, password="a quite new horse").get("/admin/").status_code == 200


@pytest.mark.parametrize("action", ACTIONS)
def test_when_it_is_ones_own_account_then_nothing_is_changed(desk, ada, action):
    member("admin")
    enrol(ada)
    desk.post("/admin/account/second-factor/show/", {"code": code_of(_secret(ada))})
    before = User.objects.filter(id=ada.id).values().get()

    page = act(desk, ada, action, role="auditor")

    assert "This is your own account: somebody else has to do it." in page
    assert User.objects.filter(id=ada.id).values().get() == before
    assert SecondFactor.objects.filter(user=ada).exists()
    assert "as agreed" not in [reason for _, _, reason in told(ada)]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("reason", ["", "   ", "r" * 501])
def test_when_no_reason_is_given_then_nothing_is_changed(desk, action, reason):
    person = member("support")

    with nothing_moves():
        desk.post(f"{STAFF}{person.id}/{action}/", {"reason": reason, "role": "admin"})

    before, after = person, User.objects.get(id=person.id)
    assert (after.role, after.is_active, after.password) == (before.role, before.is_active, before.password)


@pytest.mark.parametrize("action", ACTIONS)
def test_when_it_is_a_customer_then_they_are_no_staff(desk, action):
    customer = CustomerFactory.create()

    act(desk, customer, action, role="admin")

    told_next = desk.get("/admin/").content.decode()
    customer.refresh_from_db()
    assert (customer.role, customer.is_active, customer.tokens_valid_from) == ("user", True, None)
    assert "There is no such member of staff." in told_next


@pytest.mark.parametrize("action", [*ACTIONS, "sessions"])
def test_when_the_proof_is_old_then_whoever_manages_is_asked_again(desk, ada, action):
    person = member("support")
    let_proof_grow_old(ada)
    path = f"{STAFF}invite/" if action == "sessions" else f"{STAFF}{person.id}/{action}/"

    answer = desk.post(path, {"reason": "x", "role": "admin", "email": "n@example.com"})

    # Ending somebody's sessions takes nothing and gives nothing.
    is_asked = action != "sign-out"
    assert ("Is it you?" in answer.content.decode()) is is_asked


def test_when_one_administrator_switches_the_other_off_then_nobody_can_switch_off_the_last(desk, ada):
    other = member("admin")
    others_desk = log_in(other)

    act(others_desk, ada, "deactivate")
    act(desk, other, "deactivate")
    page = act(others_desk, other, "deactivate")

    assert "This is your own account" in page
    assert list(User.objects.filter(role="admin", is_active=True)) == [other]


def test_when_an_administrator_was_demoted_meanwhile_then_the_open_page_changes_nothing(desk, ada):
    person = someone("support")
    User.objects.filter(id=ada.id).update(role="support")

    answer = desk.post(f"{STAFF}{person.id}/role/", {"role": "admin", "reason": "x"})

    person.refresh_from_db()
    assert answer.status_code == 403
    assert person.role == "support"


def _secret(person: User) -> str:
    from users.second_factors import secret_text

    return secret_text(SecondFactor.objects.get(user=person))


def test_when_an_auditor_looks_then_there_is_nothing_to_press():
    person = member("support")
    browser = log_in(member("auditor"))

    page = browser.get(f"{STAFF}{person.id}/").content.decode()

    assert browser.get(STAFF).status_code == 200
    assert f"{STAFF}{person.id}/role/" not in page
    assert account_subject(kind="user", name=person.email) not in page
    assert PASSWORD not in page


def test_when_no_administrator_can_log_in_then_the_operator_lets_one_in(ada, settings, capsys):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": Rate(1, 600)}
    enrol(ada)
    for number in range(2):
        Client(REMOTE_ADDR=f"192.0.2.{number}").post(
            "/admin/login/", {"username": ada.email, "password": "guess"}
        )

    call_command("let_staff_in", ada.email, "--reset-factor")

    assert log_in(ada).get("/admin/").status_code == 200
    entry = AuditEntry.objects.get(object_id=str(ada.id), action="factor.reset")
    assert entry.actor == "operator"
    with pytest.raises(CommandError, match="no such member"):
        call_command("let_staff_in", CustomerFactory.create().email)

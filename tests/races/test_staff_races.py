"""Staff who act at the same moment: a code opens one door, one administrator remains, a password is chosen once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection
from django.utils import timezone

from tests.factories.people import someone
from tests.factories.staff import code_of, enrol
from users.invitations import accept, invitation_token
from users.models import User
from users.principals import Principal
from users.refusals import LastAdmin, NotFound, PermissionDenied
from users.roles import ROLES
from users.second_factors import takes_code
from users.staff import deactivate_staff


def test_when_ten_send_the_same_code_at_once_then_one_is_in(committed: None) -> None:
    person = someone("support")
    secret, _ = enrol(person)
    barrier = Barrier(10)
    now = timezone.now()

    def send(_: int) -> bool:
        barrier.wait()
        try:
            return takes_code(user=person, code=code_of(secret, at=now), now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(send, range(10))) == [False] * 9 + [True]


def test_when_two_administrators_switch_each_other_off_then_one_remains(committed: None) -> None:
    User.objects.filter(role="admin").update(is_active=False)
    pair = [someone("admin"), someone("admin")]
    barrier = Barrier(2)

    def switch_off(number: int) -> str:
        actor, target = pair[number], pair[1 - number]
        principal = Principal(id=actor.id, role="admin", permissions=ROLES["admin"])
        barrier.wait()
        try:
            deactivate_staff(staff_id=target.id, reason="him or me", principal=principal)
        except (LastAdmin, PermissionDenied) as refused:
            return refused.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(switch_off, range(2)))

    assert outcomes[0] == "done"
    assert outcomes[1] in ("last_admin", "permission_denied")
    assert User.objects.filter(id__in=[one.id for one in pair], is_active=True).count() == 1


def test_when_somebody_chooses_a_password_twice_at_once_then_one_holds(committed: None) -> None:
    person = someone("support")
    token = invitation_token(person)
    barrier = Barrier(4)

    def choose(number: int) -> bool:
        barrier.wait()
        try:
            accept(token=token, password=f"horse of my own {number}", now=timezone.now())
        except NotFound:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(choose, range(4))) == [False, False, False, True]

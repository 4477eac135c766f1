"""A person of the staff changes their password: everybody else who knew the old one is out."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction

from users import trail
from users.models import StaffSession, User
from users.principals import Principal
from users.proofs import prove_again
from users.refusals import InvalidInput
from users.registration import faults_of_password
from users.staff_sessions import renew_staff_session, revoke_others

PASSWORD_CHANGED = "password changed"  # noqa: S105 - a reason, not a password


def change_password(
    *, session: StaffSession, proof: str, new_password: str, address: str, now: datetime
) -> StaffSession:
    """Set a person's password and end all of their sessions, of the API too, but this one; gives the one that goes on.

    `proof` is the old password, or a code. Refuses with WrongProof, TooManyLogins, and InvalidInput a password that won't do.
    """
    person = session.user
    if errors := faults_of_password(new_password, person):
        raise InvalidInput(errors=errors)
    prove_again(session=session, proof=proof, address=address, now=now)
    with transaction.atomic():
        User.objects.filter(id=person.id).update(password=make_password(new_password), tokens_valid_from=now)
        revoke_others(session=session, reason=PASSWORD_CHANGED, now=now)
        trail.record(
            actor=Principal(id=person.id, role=person.role).name,
            action="user.password_changed",
            object_type="user",
            object_id=person.id,
        )
        return renew_staff_session(session=session, now=now)

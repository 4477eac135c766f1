"""Invitations: signed, good for three days, and spent by the password that they let somebody choose."""

import hashlib
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.core import signing
from django.db import transaction

from users import trail
from users.models import User
from users.principals import Principal
from users.refusals import InvalidInput, NotFound
from users.registration import faults_of_password
from users.roles import STAFF_ROLES

GOOD_FOR: Final = timedelta(days=3)
_SALT: Final = "users.invitation"


def invitation_token(person: User) -> str:
    """Sign a token by which a person chooses a password, once."""
    return signing.dumps([str(person.id), _mark(person)], salt=_SALT)


def invited(token: str) -> User:
    """Tell whom a token invites. Refuses with NotFound one that is forged, too old, or was used."""
    try:
        user_id, mark = signing.loads(token, salt=_SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        raise _gone() from None
    person = User.objects.filter(id=UUID(user_id), is_active=True, role__in=STAFF_ROLES).first()
    if person is None or _mark(person) != mark:
        raise _gone()
    return person


def accept(*, token: str, password: str, now: datetime) -> User:
    """Let somebody choose their first password. Refuses with NotFound, and InvalidInput a password that won't do."""
    with transaction.atomic():
        User.objects.select_for_update().get(id=invited(token).id)
        # Under the row's lock: of two who choose at once, the second one's token is spent.
        person = invited(token)
        if errors := faults_of_password(password, person):
            raise InvalidInput(errors=errors)
        person.password, person.tokens_valid_from = make_password(password), now
        person.save(update_fields=["password", "tokens_valid_from"])
        trail.record(
            actor=Principal(id=person.id, role=person.role).name,
            action="user.invitation_accepted",
            object_type="user",
            object_id=person.id,
        )
    return person


def _mark(person: User) -> str:
    """What changes with the password: a token dies with the one that it was made beside."""
    return hashlib.sha256(person.password.encode()).hexdigest()[:16]


def _gone() -> NotFound:
    return NotFound("This invitation was used, or is older than three days. Ask for another one.")

"""How people come in: customers by themselves, staff by an operator."""

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from users import trail
from users.models import User
from users.principals import Principal
from users.refusals import InputError, InvalidInput
from users.roles import STAFF_ROLES, Role
from users.signing_in import LONGEST_SECRET

LONGEST_EMAIL = 254


def register_customer(*, email: str, password: str, name: str = "") -> User:
    """Create a customer. Refuses with InvalidInput a bad or taken e-mail address and a weak password."""
    return _create(email=email, password=password, name=name, role=Role.USER, actor="")


def create_staff(
    *, email: str, password: str, role: str, name: str = "", actor: str = trail.OPERATOR
) -> User:
    """Create a member of staff. Refuses with InvalidInput as registration does, and a role that isn't staff's."""
    if role not in STAFF_ROLES:
        raise InvalidInput(f"The role must be one of {', '.join(sorted(STAFF_ROLES))}.", field="role")
    return _create(email=email, password=password, name=name, role=role, actor=actor)


def _create(*, email: str, password: str, name: str, role: str, actor: str) -> User:
    user = User(email=email.strip().lower(), name=name, role=role)
    errors = faults_of_email(user.email) + faults_of_password(password, user)
    if errors:
        raise InvalidInput(errors=errors)
    user.password = make_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            trail.record(
                actor=actor or Principal(id=user.id, role=user.role).name,
                action="user.created",
                object_type="user",
                object_id=user.id,
                to_state="active",
                after={"role": user.role},
            )
    except IntegrityError as broken:
        if "user_email_unique" not in str(broken):
            raise
        raise InvalidInput(
            errors=[
                {"field": "email", "code": "taken", "detail": "This e-mail address is registered already."}
            ]
        ) from None
    return user


def faults_of_email(email: str) -> list[InputError]:
    """Tell what is wrong with an e-mail address; nothing where it is a good one."""
    try:
        validate_email(email)
    except ValidationError as fault:
        return [{"field": "email", "code": "invalid", "detail": " ".join(fault.messages)}]
    if len(email) > LONGEST_EMAIL:
        return [{"field": "email", "code": "max_length", "detail": "This e-mail address is too long."}]
    return []


def faults_of_password(password: str, user: User) -> list[InputError]:
    """Tell what is wrong with a password that a person wants; nothing where it will do."""
    if len(password) > LONGEST_SECRET:
        return [
            {
                "field": "password",
                "code": "max_length",
                "detail": f"The password may have {LONGEST_SECRET} characters at most.",
            }
        ]
    try:
        validate_password(password, user)
    except ValidationError as faults:
        return [
            {"field": "password", "code": str(fault.code or "invalid"), "detail": " ".join(fault.messages)}
            for fault in faults.error_list
        ]
    return []

"""Members of staff at a browser, with a password of their own and, where it is wanted, an authenticator."""

import base64
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone
from django_otp.oath import hotp

from tests.factories.people import CustomerFactory
from users.models import StaffSession, User
from users.second_factors import STEP_S, begin_enrolment, confirm_enrolment, secret_text

PASSWORD = "correct horse battery staple"
LOGIN = "/admin/login/"


@cache
def _hash() -> str:
    return make_password(PASSWORD)  # argon2 is slow on purpose: once for all tests


def member(role: str, **fields: Any) -> User:
    """Make a member of staff with PASSWORD."""
    return CustomerFactory.create(role=role, password=_hash(), **fields)


def log_in(person: User, *, password: str = PASSWORD, following: str = "/admin/", **headers: str) -> Client:
    """Send the form of the log-in page from a browser of its own."""
    client = Client(headers=headers)
    client.post(f"{LOGIN}?next={following}", {"username": person.email, "password": password})
    return client


def code_of(secret: str, *, at: datetime | None = None, later: int = 0) -> str:
    """Make the code that an authenticator shows for a Base32 secret, `later` steps from then."""
    step = int((at or timezone.now()).timestamp()) // STEP_S + later
    return f"{hotp(base64.b32decode(secret), step):06d}"


def enrol(person: User) -> tuple[str, list[str]]:
    """Give a person an authenticator whose code of now is still good; gives its secret and their recovery codes."""
    secret = secret_text(begin_enrolment(user=person))
    long_ago = timezone.now() - timedelta(hours=1)
    return secret, confirm_enrolment(user=person, code=code_of(secret, at=long_ago), now=long_ago)


def let_proof_grow_old(person: User) -> None:
    """Pretend that a person's sessions were proved an hour ago, and seen just now."""
    StaffSession.objects.filter(user=person).update(proved_at=timezone.now() - timedelta(hours=1))

"""Log-in with a password or a client secret.

Unknown, switched off and wrong look alike, in words and in time: each one costs the check of one argon2 hash and
one entry of the audit trail.
"""

from functools import cache
from typing import NoReturn

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.utils import timezone

from users import login_attempts, trail
from users.models import ServiceClient, User
from users.refusals import SecondFactorRequired, WrongLogin
from users.second_factors import enrolled_factor, takes_code
from users.sessions import TokenPair, open_session

LONGEST_SECRET = 256


def log_in(*, email: str, password: str, address: str, one_time_code: str = "") -> TokenPair:
    """Open a session for the person with this e-mail address; `address` is the client's, or empty.

    Refuses with WrongLogin, with SecondFactorRequired staff who have a second factor and gave no code, or who need
    one and have none, or with TooManyLogins after too many failures.
    """
    person = person_with(email=email, password=password, address=address)
    if person.is_staff:
        _show_factor(person, one_time_code, address=address)
    return open_session(bearer=person)


def log_in_client(*, client_id: str, client_secret: str, address: str) -> TokenPair:
    """Open a session for a service client. Refuses as `log_in` does."""
    account = login_attempts.account_subject(kind="client", name=client_id)
    login_attempts.admit(account=account, address=address)
    client = ServiceClient.objects.filter(client_id=client_id).first()
    is_right = _matches(client_secret, client.secret_hash if client else None)
    if client is None or not is_right or not client.is_active:
        _refuse(account, client, is_right=is_right, address=address)
    login_attempts.forgive(account=account)
    return open_session(bearer=client)


def person_with(*, email: str, password: str, address: str) -> User:
    """Tell whose e-mail address and password these are. Refuses as `log_in` does."""
    email = email.strip().lower()
    account = login_attempts.account_subject(kind="user", name=email)
    login_attempts.admit(account=account, address=address)
    user = User.objects.filter(email=email).first()
    is_right = _matches(password, user.password if user else None)
    if user is None or not is_right or not user.is_active:
        _refuse(account, user, is_right=is_right, address=address)
    login_attempts.forgive(account=account)
    return user


def _show_factor(person: User, code: str, *, address: str) -> None:
    if enrolled_factor(person) is None:
        if settings.STAFF_SECOND_FACTOR_IS_REQUIRED:
            raise SecondFactorRequired("Set up your second factor in the back office first.")
        return
    if not code:
        raise SecondFactorRequired
    account = login_attempts.account_subject(kind="proof", name=str(person.id))
    login_attempts.admit(account=account, address=address)
    if not takes_code(user=person, code=code, now=timezone.now()):
        _refuse(account, person, is_right=False, address=address)
    login_attempts.forgive(account=account)


def is_password_of(user: User, password: str) -> bool:
    """Tell whether a person's password is this one; counts nothing."""
    return _matches(password, user.password)


def _refuse(account: str, bearer: User | ServiceClient | None, *, is_right: bool, address: str) -> NoReturn:
    """Write down a failed log-in, whoever it was, and count it for the address. Refuses with WrongLogin."""
    kind, _, name = account.partition(":")
    wrong = "wrong code" if kind == "proof" else "wrong password"
    trail.record(
        actor=trail.ANYBODY,
        action="login.failed",
        object_type="client" if kind == "client" else "user",
        # What was typed for an account that isn't may be a password.
        object_id=bearer.id if bearer else name,
        reason="unknown account" if bearer is None else "switched off" if is_right else wrong,
    )
    login_attempts.count_failure(address=address)
    raise WrongLogin


@cache
def _hash_of_nobody() -> str:
    return make_password("the secret of nobody")


def _matches(secret: str, secret_hash: str | None) -> bool:
    is_right = check_password(secret[:LONGEST_SECRET], secret_hash or _hash_of_nobody())
    return is_right and secret_hash is not None and len(secret) <= LONGEST_SECRET

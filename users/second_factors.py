"""One-time codes of staff: RFC 6238 with SHA-1, six digits and steps of 30 s, as every authenticator makes them.

The secret is sealed (AES-256-GCM), recovery codes are kept as digests, and each code of either kind opens one door once.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from django.db import transaction
from django_otp.oath import hotp

from users import trail
from users.models import RecoveryCode, SecondFactor, User
from users.principals import Principal
from users.refusals import WrongProof
from users.sealing import open_sealed, seal

SECRET_BYTES: Final = 20  # RFC 4226, section 4, R6: 160 bits are recommended
STEP_S: Final = 30
DIGITS: Final = 6
# A clock may be off, and typing takes a while: the code before and the one after are good as well.
DRIFTS: Final = (0, -1, 1)
RECOVERY_CODES: Final = 10
# 80 bits each: nobody guesses one, so that a fast digest keeps it as well as a slow one.
RECOVERY_BYTES: Final = 10
ISSUER: Final = "Open Wallet"
_TABLE: Final = SecondFactor._meta.db_table


def begin_enrolment(*, user: User) -> SecondFactor:
    """Make a person the secret that their authenticator is to learn; one that was never confirmed is replaced.

    Refuses with WrongProof where a factor is enrolled: an administrator resets that one first.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(id=user.id)
        if enrolled_factor(user):
            raise WrongProof("You have a second factor. Whoever answers for the staff may reset it.")
        SecondFactor.objects.filter(user=user).delete()
        factor = SecondFactor(user=user)
        factor.secret = seal(
            secrets.token_bytes(SECRET_BYTES), table=_TABLE, column="secret", row_id=factor.id
        )
        factor.save(force_insert=True)
        _record(user, "factor.begun")
    return factor


def confirm_enrolment(*, user: User, code: str, now: datetime) -> list[str]:
    """Take the first code of a person's authenticator, and give their recovery codes, this once.

    Refuses with WrongProof.
    """
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user=user, confirmed_at=None).first()
        if factor is None or not _takes(factor, code, now):
            raise WrongProof("This isn't the code that your authenticator shows now.")
        SecondFactor.objects.filter(id=factor.id).update(confirmed_at=now)
        _record(user, "factor.enrolled", to_state="enrolled")
        return _make_recovery_codes(factor)


def renew_recovery_codes(*, user: User) -> list[str]:
    """Give a person new recovery codes, this once; the old ones are worth nothing. Refuses with WrongProof."""
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user=user).first()
        if factor is None or factor.confirmed_at is None:
            raise WrongProof("You have no second factor yet.")
        _record(user, "factor.codes_renewed")
        return _make_recovery_codes(factor)


def enrolled_factor(user: User) -> SecondFactor | None:
    """Give a person's second factor, or nothing where none is enrolled."""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).first()


def pending_factor(user: User) -> SecondFactor | None:
    """Give the factor whose first code is still awaited."""
    return SecondFactor.objects.filter(user=user, confirmed_at=None).first()


def recovery_codes_left(factor: SecondFactor) -> int:
    """Count the recovery codes that are good still."""
    return factor.recovery_codes.filter(used_at=None).count()


def takes_code(*, user: User, code: str, now: datetime) -> bool:
    """Use up a code of a person's authenticator, or a recovery code; false where it isn't good or was used."""
    factor = enrolled_factor(user)
    if factor is None:
        return False
    if _takes(factor, code, now):
        return True
    spent = RecoveryCode.objects.filter(factor=factor, digest=_digest(factor, code), used_at=None).update(
        used_at=now
    )
    if spent:
        _record(user, "factor.recovery_code_used", left=recovery_codes_left(factor))
    return spent == 1


def secret_text(factor: SecondFactor) -> str:
    """Write a factor's secret in Base32, as authenticators take it from those who can't scan."""
    return base64.b32encode(_secret(factor)).decode()


def enrolment_uri(factor: SecondFactor, *, email: str) -> str:
    """Write the `otpauth://` address that a QR code shows, in the form of Google Authenticator's key URIs."""
    asked = urlencode(
        {"secret": secret_text(factor), "issuer": ISSUER, "digits": DIGITS, "period": STEP_S}, quote_via=quote
    )
    return f"otpauth://totp/{quote(f'{ISSUER}:{email}')}?{asked}"


def _takes(factor: SecondFactor, code: str, now: datetime) -> bool:
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdigit() and len(digits) == DIGITS):
        return False
    key, step_now = _secret(factor), int(now.timestamp()) // STEP_S
    for step in (step_now + drift for drift in DRIFTS):
        if hmac.compare_digest(f"{hotp(key, step, digits=DIGITS):0{DIGITS}d}", digits):
            # One statement decides who takes the code, however many send it at once.
            return SecondFactor.objects.filter(id=factor.id, last_step__lt=step).update(last_step=step) == 1
    return False


def _make_recovery_codes(factor: SecondFactor) -> list[str]:
    codes = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode() for _ in range(RECOVERY_CODES)]
    factor.recovery_codes.all().delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(factor=factor, digest=_digest(factor, code)) for code in codes
    )
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)).lower() for code in codes]


def _digest(factor: SecondFactor, code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(f"{factor.id}\0{plain}".encode()).hexdigest()


def _secret(factor: SecondFactor) -> bytes:
    return open_sealed(factor.secret, table=_TABLE, column="secret", row_id=factor.id)


def _record(user: User, action: str, *, to_state: str = "", **more: object) -> None:
    trail.record(
        actor=Principal(id=user.id, role=user.role).name,
        action=action,
        object_type="user",
        object_id=user.id,
        to_state=to_state,
        after=more or None,
    )

"""Who may sign in: customers and staff, service clients, and the sessions that their refresh tokens keep."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from uuid_utils.compat import uuid7

from users.roles import ROLES, SERVICE, STAFF_ROLES, Role

NOTICES = ("low_balance", "top_up_failed", "refund_decided", "wallet_suspended", "large_debit")


def all_notices() -> dict[str, dict[str, bool]]:
    """Every notice switched on, for each channel: what a new user starts with."""
    return {"email": dict.fromkeys(NOTICES, True)}


class User(AbstractBaseUser):
    """A person: a customer (`role` is `user`) or a member of staff. Signs in with an e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.USER)
    is_active = models.BooleanField(default=True)
    name = models.CharField(max_length=120, blank=True, default="")
    time_zone = models.CharField(max_length=64, default="UTC")
    locale = models.CharField(max_length=35, default="en")
    notifications = models.JSONField(default=all_notices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Tokens issued before this moment keep no session alive and decide nothing about money.
    tokens_valid_from = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = BaseUserManager["User"]()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["email"], name="user_email_unique"),
            models.CheckConstraint(condition=Q(email=Lower(F("email"))), name="user_email_lower_case"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
        ]
        indexes = [
            models.Index(fields=["role", "-id"], name="user_by_role"),
            # The two by which staff find people: `users.finding`.
            models.Index(fields=["email"], opclasses=["varchar_pattern_ops"], name="user_by_email_beginning"),
            GinIndex(SearchVector("name", config="simple"), name="user_by_words_of_name"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def permissions(self) -> frozenset[str]:
        """The closed list of the role."""
        return ROLES[self.role]

    def may(self, permission: str) -> bool:
        """Whether the role's list holds the permission."""
        return permission in self.permissions

    @property
    def is_staff(self) -> bool:
        """Whether it is a person of the back office."""
        return self.role in STAFF_ROLES

    @property
    def is_superuser(self) -> bool:
        """Always false: the back office goes by role alone."""
        return False

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Django's question, `app.action_model`: active staff may view, and change nothing through a model."""
        return self.is_active and self.is_staff and perm.rpartition(".")[2].startswith("view_")

    def has_perms(self, perm_list: list[str], obj: object = None) -> bool:
        """Django's question for several permissions at once."""
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        """Django's question: active staff see every app of the back office."""
        return self.is_active and self.is_staff


class ServiceClient(models.Model):
    """A program that calls the API for any customer. Signs in with `client_id` and a secret kept as a hash."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client_id = models.CharField(max_length=64)
    name = models.CharField(max_length=120)
    secret_hash = models.CharField(max_length=128)
    scopes = ArrayField(models.CharField(max_length=32))
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    tokens_valid_from = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["client_id"], name="service_client_id_unique"),
            models.CheckConstraint(
                condition=Q(scopes__contained_by=sorted(ROLES[SERVICE])), name="service_client_scopes_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def role(self) -> str:
        """Always `service`."""
        return SERVICE

    @property
    def permissions(self) -> frozenset[str]:
        """The scopes that it was given, and never more than the role holds."""
        return ROLES[SERVICE].intersection(self.scopes)


class RefreshFamily(models.Model):
    """One session: every refresh token that descends from one log-in. Revoked as a whole."""

    class Revocation(models.TextChoices):
        """Why the session ended before its tokens did."""

        LOGOUT = "logout"
        REUSE = "reuse"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="refresh_families")
    client = models.ForeignKey(ServiceClient, models.CASCADE, null=True, related_name="refresh_families")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revocation = models.CharField(max_length=8, choices=Revocation.choices, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, client__isnull=True)
                | Q(user__isnull=True, client__isnull=False),
                name="refresh_family_of_one_bearer",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revocation="")
                | Q(revoked_at__isnull=False, revocation__in=["logout", "reuse"]),
                name="refresh_family_revoked_for_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], name="refresh_family_by_expiry")]

    def __str__(self) -> str:
        return str(self.id)


class SpentRefreshToken(models.Model):
    """A refresh token that was exchanged. Its primary key decides who exchanged it first."""

    jti = models.UUIDField(primary_key=True)
    family = models.ForeignKey(RefreshFamily, models.CASCADE, related_name="spent_tokens")
    spent_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.jti)


class LoginAttempts(models.Model):
    """Log-ins tried and not yet known to be right, for one account or address, in one window of time."""

    subject = models.CharField(max_length=80, primary_key=True)
    attempts = models.IntegerField()
    window_started_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(attempts__gte=0), name="login_attempts_not_negative"),
        ]
        indexes = [models.Index(fields=["window_started_at"], name="login_attempts_by_window")]

    def __str__(self) -> str:
        return self.subject


class StaffSession(models.Model):
    """A browser in which a member of staff is logged in to the back office; how long ago, and from where."""

    class Ending(models.TextChoices):
        """Why a session is over."""

        LOGOUT = "logout"
        IDLE = "idle"
        REVOKED = "revoked"
        RENEWED = "renewed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="staff_sessions")
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    # When the person last showed who they are, by password or code: decisions about money ask how long ago.
    proved_at = models.DateTimeField()
    # When the second factor was shown; nothing while the person has shown a password alone.
    factor_shown_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, blank=True, default="")
    device = models.CharField(max_length=200, blank=True, default="")
    ended_at = models.DateTimeField(null=True)
    ending = models.CharField(max_length=8, choices=Ending.choices, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ending="")
                | Q(ended_at__isnull=False, ending__in=["logout", "idle", "revoked", "renewed"]),
                name="staff_session_ended_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="staff_session_by_user"),
            models.Index(fields=["last_seen_at"], name="staff_session_by_last_seen"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class SecondFactor(models.Model):
    """What makes a person's one-time codes (TOTP, RFC 6238): a secret that is shared with one authenticator."""

    SEALED_COLUMNS: ClassVar[tuple[str, ...]] = ("secret",)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField(User, models.CASCADE, related_name="second_factor")
    secret = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Nothing until the first code was right: a factor that nobody could enrol locks nobody out.
    confirmed_at = models.DateTimeField(null=True)
    # The step of time of the last code that was taken: none is taken twice, nor an older one.
    last_step = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(secret=""), name="second_factor_has_a_secret"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class RecoveryCode(models.Model):
    """A code that stands in for the authenticator once; kept as a digest."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    factor = models.ForeignKey(SecondFactor, models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["factor", "digest"], name="recovery_code_unique"),
        ]

    def __str__(self) -> str:
        return str(self.id)

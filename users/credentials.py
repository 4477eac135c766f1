"""Signed tokens: EdDSA JWTs made with the key ring, and what a verified one says.

An access token says who calls; it is verified without a query. A refresh token only names its session, which
`users.sessions` looks up. The two differ in audience and in the header's `typ`, so neither passes for the other.
"""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, ClassVar, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenBackendError, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import Token
from uuid_utils.compat import uuid7

from users.principals import Principal
from users.refusals import InvalidToken, TokenExpired
from users.roles import ROLES

ALGORITHM: Final = "EdDSA"
LONGEST_TOKEN: Final = 4096
VERIFIED_TOKENS_KEPT: Final = 4096

SigningKeys = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Ed25519 keys by `kid`: the first one signs, every one verifies."""

    keys: Mapping[str, Ed25519PrivateKey]

    @property
    def signing_kid(self) -> str:
        """The name of the key that signs."""
        return next(iter(self.keys))


@lru_cache(maxsize=8)
def key_ring(signing_keys: SigningKeys) -> KeyRing:
    """Make the ring of the configured seeds (32 bytes each)."""
    return KeyRing({kid: Ed25519PrivateKey.from_private_bytes(seed) for kid, seed in signing_keys})


def public_keys() -> list[dict[str, str]]:
    """Show every public key of the ring as a JWK, the signing one first."""
    ring = key_ring(settings.JWT_SIGNING_KEYS)
    shown = []
    for kid, key in ring.keys.items():
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        shown.append({"kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "alg": ALGORITHM, "x": x})
    return shown


class RingBackend(TokenBackend):
    """Simplejwt's backend with a ring of keys in place of one, and a `kid` and `typ` in every header."""

    def __init__(self, *, ring: KeyRing, typ: str, audience: str, issuer: str) -> None:
        super().__init__(ALGORITHM, audience=audience, issuer=issuer)
        self.ring = ring
        self.typ = typ

    def encode(self, payload: dict[str, Any]) -> str:
        """Sign the payload with the first key of the ring."""
        kid = self.ring.signing_kid
        return jwt.encode(
            {**payload, "aud": self.audience, "iss": self.issuer},
            self.ring.keys[kid],
            algorithm=ALGORITHM,
            headers={"kid": kid, "typ": self.typ},
        )

    def get_verifying_key(self, token: Any) -> Any:
        """Find the key that the header names; a header with anything beyond alg, kid and typ is not ours."""
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if header != {"alg": ALGORITHM, "kid": kid, "typ": self.typ} or str(kid) not in self.ring.keys:
            raise TokenBackendError("Token is invalid")
        return self.ring.keys[str(kid)].public_key()


class RingToken(Token):
    """A token of simplejwt without its `token_type` claim: the header's `typ` and the audience say it."""

    typ: ClassVar[str]
    audience_path: ClassVar[str]
    lifetime_setting: ClassVar[str]

    def get_token_backend(self) -> RingBackend:
        """The backend for the ring that is configured now."""
        return RingBackend(
            ring=key_ring(settings.JWT_SIGNING_KEYS),
            typ=self.typ,
            audience=settings.PUBLIC_URL + self.audience_path,
            issuer=settings.PUBLIC_URL,
        )

    def __init__(self, token: Any = None, verify: bool = True) -> None:  # noqa: FBT001, FBT002 (simplejwt's)
        self.lifetime = timedelta(seconds=getattr(settings, self.lifetime_setting))
        super().__init__(token, verify)
        if token is None:
            del self.payload[api_settings.TOKEN_TYPE_CLAIM]

    def set_jti(self) -> None:
        """Give the token an id in the order of time."""
        self.payload["jti"] = str(uuid7())

    def verify_token_type(self) -> None:
        """Nothing left to see: the backend has compared `typ` and the audience."""


class AccessToken(RingToken):
    """Who calls and what they may do, for some minutes."""

    token_type = "access"  # noqa: S105 (a name, not a secret)
    typ = "at+jwt"
    audience_path = "/api/v1"
    lifetime_setting = "ACCESS_TOKEN_LIFETIME_S"


class RefreshToken(RingToken):
    """The right to continue one session, once."""

    token_type = "refresh"  # noqa: S105 (a name, not a secret)
    typ = "rt+jwt"
    audience_path = "/api/v1/auth/token/refresh"
    lifetime_setting = "REFRESH_TOKEN_LIFETIME_S"


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a verified refresh token says: its own id, and the session that it continues."""

    jti: UUID
    family_id: UUID
    bearer_id: UUID


def sign_access(*, bearer_id: UUID, role: str, permissions: frozenset[str]) -> str:
    """Make the access token of a user or service client."""
    token = AccessToken()
    token["sub"] = str(bearer_id)
    token["role"] = role
    token["permissions"] = sorted(permissions)
    return str(token)


def sign_refresh(*, bearer_id: UUID, family_id: UUID) -> str:
    """Make one refresh token of a session."""
    token = RefreshToken()
    token["sub"] = str(bearer_id)
    token["family"] = str(family_id)
    return str(token)


def principal_of(access: str) -> Principal:
    """Tell who an access token speaks for, without a query.

    Refuses with TokenExpired when only its time is over, with InvalidToken for every other fault.
    """
    principal, expires_at = _verified(access, settings.JWT_SIGNING_KEYS, settings.PUBLIC_URL)
    if expires_at <= time.time():
        raise TokenExpired
    return principal


def expiry_of(access: str) -> int:
    """Tell when an access token runs out, in seconds since 1970. Refuses with InvalidToken."""
    return _verified(access, settings.JWT_SIGNING_KEYS, settings.PUBLIC_URL)[1]


@lru_cache(maxsize=VERIFIED_TOKENS_KEPT)
def _verified(access: str, _signing_keys: SigningKeys, _public_url: str) -> tuple[Principal, int]:
    # Checking a signature costs more than all else that a call's authentication does, hence the cache. The
    # settings that decide are a part of its key; only tokens that passed are kept (an exception isn't).
    payload = _payload(AccessToken, access)
    try:
        role = payload["role"]
        principal = Principal(
            id=UUID(payload["sub"]), role=role, permissions=ROLES[role].intersection(payload["permissions"])
        )
        return principal, int(payload["exp"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidToken from None


def refresh_claims(refresh: str) -> RefreshClaims:
    """Read a refresh token. Refuses with TokenExpired or InvalidToken."""
    payload = _payload(RefreshToken, refresh)
    try:
        return RefreshClaims(
            jti=UUID(payload["jti"]), family_id=UUID(payload["family"]), bearer_id=UUID(payload["sub"])
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidToken from None


def _payload(token_class: type[RingToken], text: str) -> dict[str, Any]:
    if len(text) > LONGEST_TOKEN:
        raise InvalidToken
    try:
        return token_class(text).payload
    except ExpiredTokenError:
        raise TokenExpired from None
    except (TokenError, TypeError, ValueError):
        raise InvalidToken from None

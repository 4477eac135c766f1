"""Access tokens: only what this installation signed opens anything."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import LazySettings, settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from users.api.authentication import BearerAuthentication
from users.credentials import key_ring, principal_of, sign_access
from users.principals import Principal
from users.refusals import InvalidToken
from users.roles import ROLES

OURS = settings.JWT_SIGNING_KEYS[0][0]
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


def our_key() -> Ed25519PrivateKey:
    """The key that this installation signs with."""
    return key_ring(settings.JWT_SIGNING_KEYS).keys[OURS]


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a good token, with some changed, or left out when None."""
    now = int(time.time())
    good = {
        "sub": str(uuid7()),
        "role": "user",
        "permissions": sorted(ROLES["user"]),
        "iat": now,
        "exp": now + 900,
        "jti": str(uuid7()),
        "iss": "http://localhost:8000",
        "aud": "http://localhost:8000/api/v1",
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def signed(
    payload: dict[str, Any],
    *,
    key: Any = None,
    algorithm: str = "EdDSA",
    header: dict[str, Any] | None = None,
) -> str:
    """Sign as the installation does, or with something else."""
    headers = {"kid": OURS, "typ": "at+jwt"} if header is None else header
    return jwt.encode(payload, key or our_key(), algorithm=algorithm, headers=headers)


def handmade(header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """Sign by hand what PyJWT refuses to: a key id that is no text, a public key taken for a shared secret."""

    def encoded(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    text = encoded(json.dumps(header).encode()) + b"." + encoded(json.dumps(claims()).encode())
    return (text + b"." + encoded(sign(text))).decode()


def hs256(secret: bytes) -> str:
    """Sign with a shared secret."""
    header = {"alg": "HS256", "kid": OURS, "typ": "at+jwt"}
    return handmade(header, lambda text: hmac.new(secret, text, hashlib.sha256).digest())


def test_when_the_token_is_ours_then_it_tells_its_bearer() -> None:
    bearer_id = uuid7()

    principal = principal_of(sign_access(bearer_id=bearer_id, role="finance", permissions=ROLES["finance"]))

    assert principal == Principal(id=bearer_id, role="finance", permissions=ROLES["finance"])


def test_when_a_token_is_made_by_hand_in_our_form_then_it_passes() -> None:
    token = handmade({"alg": "EdDSA", "kid": OURS, "typ": "at+jwt"}, our_key().sign)

    principal = principal_of(token)

    assert principal.role == "user"


def test_when_the_forger_has_a_good_recipe_then_our_own_key_passes() -> None:
    token = signed(claims())

    principal = principal_of(token)

    assert principal.role == "user"


@pytest.mark.parametrize(
    "forge",
    [
        lambda: signed(claims(), key=STRANGER),
        lambda: signed(claims(), header={"kid": "other", "typ": "at+jwt"}),
        lambda: signed(claims(), header={"typ": "at+jwt"}),
        lambda: signed(claims(), header={"kid": OURS, "typ": "JWT"}),
        lambda: signed(claims(), header={"kid": OURS, "typ": "rt+jwt"}),
        lambda: signed(
            claims(), header={"kid": OURS, "typ": "at+jwt", "jku": "https://evil.example/jwks.json"}
        ),
        lambda: signed(
            claims(),
            key=STRANGER,
            header={"kid": OURS, "typ": "at+jwt", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}},
        ),
        lambda: signed(
            claims(), header={"kid": OURS, "typ": "at+jwt", "x5u": "https://evil.example/cert.pem"}
        ),
        lambda: signed(claims(), header={"kid": OURS, "typ": "at+jwt", "crit": ["exp"]}),
        lambda: handmade({"alg": "EdDSA", "kid": 1, "typ": "at+jwt"}, our_key().sign),
        lambda: handmade({"alg": "EdDSA", "kid": [OURS], "typ": "at+jwt"}, our_key().sign),
        lambda: handmade({"alg": "eddsa", "kid": OURS, "typ": "at+jwt"}, our_key().sign),
        lambda: jwt.encode(claims(), None, algorithm="none", headers={"kid": OURS, "typ": "at+jwt"}),
        lambda: hs256(our_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
        lambda: hs256(our_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
        lambda: hs256(b"j" * 32),
        lambda: signed(claims(iss="http://elsewhere.example")),
        lambda: signed(claims(iss=None)),
        lambda: signed(claims(aud="http://localhost:8000/api/v1/auth/token/refresh")),
        lambda: signed(claims(aud=None)),
        lambda: signed(claims(exp=None)),
        lambda: signed(claims(exp="never")),
        lambda: signed(claims(jti=None)),
        lambda: signed(claims(sub=None)),
        lambda: signed(claims(sub="carol")),
        lambda: signed(claims(role="owner")),
        lambda: signed(claims(role=None)),
        lambda: signed(claims(role=["admin"])),
        lambda: signed(claims(permissions=None)),
        lambda: signed(claims(permissions=7)),
        lambda: signed(claims())[:-8] + "AAAAAAAA",
        lambda: signed(claims()).replace(".", "", 1),
        lambda: "not a token",
        lambda: "",
        lambda: "é.é.é",
        lambda: "x" * 5000,
    ],
)
def test_when_the_token_is_not_ours_then_it_opens_nothing(get: Any, forge: Any) -> None:
    token = forge()

    answer = get("/auth/me", authorization=f"Bearer {token}".encode().decode("latin-1"))

    assert answer.status_code == 401
    assert answer.json()["code"] == "invalid_token"
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_when_a_payload_is_swapped_then_its_signature_no_longer_fits() -> None:
    header, _, signature = sign_access(bearer_id=uuid7(), role="user", permissions=ROLES["user"]).split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims(role="admin")).encode()).rstrip(b"=").decode()

    with pytest.raises(InvalidToken):
        principal_of(f"{header}.{payload}.{signature}")


def test_when_claimed_permissions_exceed_the_role_then_the_role_bounds_them() -> None:
    principal = principal_of(signed(claims(permissions=["wallet:read", "refund:decide"])))

    assert principal.permissions == frozenset({"wallet:read"})


def test_when_its_time_is_over_then_the_token_has_expired_even_if_it_was_seen_before(
    get: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed(claims(exp=int(time.time()) + 100))
    seen = principal_of(token)
    later_s = time.time() + 100
    monkeypatch.setattr(time, "time", lambda: later_s)

    answer = get("/auth/me", token)

    assert seen.role == "user"
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_when_a_token_comes_expired_then_that_is_what_is_told(get: Any) -> None:
    answer = get("/auth/me", signed(claims(exp=int(time.time()) - 1)))

    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic Y2Fyb2w6cHc="}, {"authorization": "Token x"}]
)
def test_when_there_is_no_bearer_token_then_one_is_asked_for(get: Any, headers: dict[str, str]) -> None:
    answer = get("/auth/me", **headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
def test_when_a_call_is_authenticated_then_no_query_is_made(rf: Any) -> None:
    bearer_id = uuid7()
    token = sign_access(bearer_id=bearer_id, role="user", permissions=ROLES["user"])
    request = rf.get("/", headers={"authorization": f"bearer {token}"})

    with CaptureQueriesContext(connection) as queries:
        authenticated = BearerAuthentication().authenticate(request)

    assert authenticated is not None
    assert authenticated[0].id == bearer_id
    assert len(queries) == 0


def test_when_keys_change_then_a_token_that_was_seen_before_is_judged_anew(settings: LazySettings) -> None:
    token = signed(claims())
    seen = principal_of(token)
    settings.JWT_SIGNING_KEYS = (("next", b"n" * 32),)

    with pytest.raises(InvalidToken):
        principal_of(token)

    assert seen.role == "user"

"""Changing the signing key: no valid token is refused on the way."""

import base64
from io import StringIO
from typing import Any

import jwt
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from uuid_utils.compat import uuid7

from config.value_forms import key_ring as read_key_ring
from users.credentials import principal_of, refresh_claims, sign_access, sign_refresh
from users.roles import ROLES

OLD = (("old", b"o" * 32),)


def next_ring(phase: str) -> Any:
    """Run the command as an operator does and read its value as the environment does."""
    out = StringIO()
    call_command("rotate_signing_keys", phase, "--kid", "new", stdout=out, stderr=StringIO())
    name, _, value = out.getvalue().strip().partition("=")
    assert name == "JWT_SIGNING_KEYS"
    return read_key_ring(value)


def test_when_the_keys_rotate_then_every_process_accepts_every_valid_token(settings: LazySettings) -> None:
    rings = [OLD]
    settings.JWT_SIGNING_KEYS = OLD
    for phase in ("add", "promote", "retire"):
        settings.JWT_SIGNING_KEYS = next_ring(phase)
        rings.append(settings.JWT_SIGNING_KEYS)
    bearer_id, family_id = uuid7(), uuid7()

    issued = []
    for ring in rings:
        settings.JWT_SIGNING_KEYS = ring
        issued.append(
            (
                sign_access(bearer_id=bearer_id, role="user", permissions=ROLES["user"]),
                sign_refresh(bearer_id=bearer_id, family_id=family_id),
            )
        )
    accepted = []
    for signer, verifier in [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (0, 2),
        (1, 2),
        (2, 1),
        (2, 2),
        (2, 3),
        (3, 2),
        (3, 3),
    ]:
        settings.JWT_SIGNING_KEYS = rings[verifier]
        access, refresh = issued[signer]
        accepted.append((principal_of(access).id, refresh_claims(refresh).family_id))

    assert [[kid for kid, _ in ring] for ring in rings] == [["old"], ["old", "new"], ["new", "old"], ["new"]]
    assert accepted == [(bearer_id, family_id)] * 11
    assert [jwt.get_unverified_header(access)["kid"] for access, _ in issued] == ["old", "old", "new", "new"]


@pytest.mark.parametrize("phase", ["promote", "retire"])
def test_when_the_ring_has_one_key_then_there_is_nothing_to_promote_or_retire(
    settings: LazySettings, phase: str
) -> None:
    settings.JWT_SIGNING_KEYS = OLD

    with pytest.raises(CommandError, match="one key only"):
        next_ring(phase)


def test_when_the_name_is_in_use_then_no_key_is_added(settings: LazySettings) -> None:
    settings.JWT_SIGNING_KEYS = (("new", b"o" * 32),)

    with pytest.raises(CommandError, match="named new already"):
        next_ring("add")


def test_when_keys_are_published_then_all_of_the_ring_are_shown_and_no_secret(
    client: Any, settings: LazySettings
) -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    settings.JWT_SIGNING_KEYS = (("rfc8032", seed), ("retiring", b"o" * 32))

    answer = client.get("/.well-known/jwks.json")

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "public, max-age=300"
    first, second = answer.json()["keys"]
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert first == {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "rfc8032",
        "use": "sig",
        "alg": "EdDSA",
        "x": base64.urlsafe_b64encode(public).rstrip(b"=").decode(),
    }
    assert second["kid"] == "retiring"
    assert set(second) == set(first)


def test_when_somebody_else_verifies_then_the_published_keys_suffice(client: Any) -> None:
    token = sign_access(bearer_id=uuid7(), role="user", permissions=ROLES["user"])
    keys = jwt.PyJWKSet.from_dict(client.get("/.well-known/jwks.json").json())

    claims = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=["EdDSA"],
        audience="http://localhost:8000/api/v1",
        issuer="http://localhost:8000",
    )

    assert claims["role"] == "user"

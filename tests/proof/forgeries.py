"""Tokens that nobody should take: 60 and more ways in which an access token can be false or stale."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from users.roles import ROLES

KID_PATHS = (
    "../../../../dev/null",
    "/dev/null",
    "/etc/passwd",
    "file:///proc/sys/kernel/randomize_va_space",
    "' UNION SELECT 'k' --",
    "{kid}\x00",
    "{kid} ",
    "{KID}",
    "",
)
KEYS_OF_HMAC = (b"", b"\0", b"2\n", b"secret", b"k")


@dataclass(frozen=True)
class Forger:
    """Knows what an attacker may know: the public keys, a victim's id, and how tokens look; and, as a control, the ring."""

    ring: dict[str, Ed25519PrivateKey]
    victim: UUID
    public_url: str
    elsewhere: str
    """A URL that a server which fetches keys would ask."""

    @property
    def kid(self) -> str:
        return next(iter(self.ring))

    @property
    def ours(self) -> Ed25519PrivateKey:
        return self.ring[self.kid]

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Give a good token's claims, some of them changed, or left out where None."""
        now = int(time.time())
        good = {
            "sub": str(self.victim),
            "role": "user",
            "permissions": sorted(ROLES["user"]),
            "iat": now,
            "exp": now + 600,
            "jti": str(uuid4()),
            "iss": self.public_url,
            "aud": f"{self.public_url}/api/v1",
        }
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def token(
        self, sign: Callable[[bytes], bytes] | None = None, *, header: Any = None, payload: Any = None
    ) -> str:
        """Write a token by hand; without anything named it is a genuine one."""
        head = {"alg": "EdDSA", "kid": self.kid, "typ": "at+jwt"} if header is None else header
        text = f"{_encoded(head)}.{_encoded(self.claims() if payload is None else payload)}".encode()
        return f"{text.decode()}.{_base64((sign or self.ours.sign)(text))}"

    def header(self, **changed: Any) -> dict[str, Any]:
        """Give a good token's header, some of it changed, or left out where None."""
        good = {"alg": "EdDSA", "kid": self.kid, "typ": "at+jwt"}
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def forged(self) -> dict[str, str]:
        """Make all of them, by name."""
        return {
            **self._by_algorithm(),
            **self._by_header(),
            **self._by_key_id(),
            **self._by_claim(),
            **self._by_shape(),
        }

    def _by_algorithm(self) -> dict[str, str]:
        public = self.ours.public_key()
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        shapes = {
            "raw": raw,
            "PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "JWK's x": _base64(raw).encode(),
        }
        made = {
            f"alg {alg} without a signature": self.token(lambda _text: b"", header=self.header(alg=alg))
            for alg in ("none", "None", "NONE", "nOnE")
        }
        made |= {
            f"{name} public key as a secret of {alg}": self.token(
                _hmac(key, digest), header=self.header(alg=alg)
            )
            for alg, digest in (("HS256", "sha256"), ("HS512", "sha512"))
            for name, key in shapes.items()
        }
        made["EdDSA in another case"] = self.token(header=self.header(alg="eddsa"))
        made["no algorithm"] = self.token(header=self.header(alg=None))
        ecdsa, rsa_key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
        made["ES256 by a stranger"] = jwt.encode(
            self.claims(), ecdsa, algorithm="ES256", headers={"kid": self.kid, "typ": "at+jwt"}
        )
        made["RS256 by a stranger"] = jwt.encode(
            self.claims(), rsa_key, algorithm="RS256", headers={"kid": self.kid, "typ": "at+jwt"}
        )
        return made

    def _by_header(self) -> dict[str, str]:
        stranger = Ed25519PrivateKey.generate()
        raw = stranger.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        jwk = {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "alg": "EdDSA", "x": _base64(raw)}
        theirs: dict[str, dict[str, Any]] = {
            "jku": {"jku": f"{self.elsewhere}/jwks.json"},
            "jku beside our own": {"jku": f"{self.public_url}@{self.elsewhere.partition('//')[2]}/jwks.json"},
            "jwk": {"jwk": jwk},
            "jwk under another kid": {"jwk": jwk, "kid": "theirs"},
            "x5u": {"x5u": f"{self.elsewhere}/cert.pem"},
            "x5c": {"x5c": [_base64(raw)]},
            "x5t": {"x5t": _base64(hashlib.sha1(raw, usedforsecurity=False).digest())},
            "a stranger's key alone": {},
        }
        made = {
            f"{name}, signed by a stranger": self.token(stranger.sign, header=self.header(**more))
            for name, more in theirs.items()
        }
        ours: dict[str, dict[str, Any]] = {
            "a jku beside our signature": {"jku": f"{self.elsewhere}/jwks.json"},
            "an x5u beside our signature": {"x5u": f"{self.elsewhere}/cert.pem"},
            "crit": {"crit": ["exp"]},
            "b64 false": {"b64": False, "crit": ["b64"]},
            "a nested token": {"cty": "JWT"},
            "a plain type": {"typ": "JWT"},
            "a refresh token's type": {"typ": "rt+jwt"},
            "no type": {"typ": None},
        }
        return made | {
            f"{name}, signed by us": self.token(header=self.header(**more)) for name, more in ours.items()
        }

    def _by_key_id(self) -> dict[str, str]:
        stranger = Ed25519PrivateKey.generate()
        made = {}
        for place, path in enumerate(KID_PATHS):
            kid = path.replace("{kid}", self.kid).replace("{KID}", self.kid.upper())
            secret = KEYS_OF_HMAC[place % len(KEYS_OF_HMAC)]
            made[f"kid {path!r} with a guessed secret"] = self.token(
                _hmac(secret, "sha256"), header=self.header(alg="HS256", kid=kid)
            )
            made[f"kid {path!r} by a stranger"] = self.token(stranger.sign, header=self.header(kid=kid))
        made["no kid"] = self.token(header=self.header(kid=None))
        made["a kid that is a number"] = self.token(header=self.header(kid=0))
        made["a kid that is a list"] = self.token(header=self.header(kid=[self.kid]))
        return made

    def _by_claim(self) -> dict[str, str]:
        now = int(time.time())
        changed: dict[str, dict[str, Any]] = {
            "another audience": {"aud": "https://elsewhere.example/api/v1"},
            "a refresh token's audience": {"aud": f"{self.public_url}/api/v1/auth/token/refresh"},
            "no audience": {"aud": None},
            "another issuer": {"iss": "https://elsewhere.example"},
            "our issuer with a slash": {"iss": f"{self.public_url}/"},
            "no issuer": {"iss": None},
            "expired a second ago": {"exp": now - 1},
            "expired long ago": {"exp": 1},
            "no expiry": {"exp": None},
            "an expiry in words": {"exp": "never"},
            "not valid yet": {"nbf": now + 3_600},
            "no id": {"jti": None},
            "no subject": {"sub": None},
            "a subject that is a name": {"sub": "admin"},
            "an unknown role": {"role": "owner"},
            "no role": {"role": None},
            "a list of roles": {"role": ["admin", "user"]},
            "no permissions": {"permissions": None},
            "permissions that are a number": {"permissions": 7},
        }
        return {name: self.token(payload=self.claims(**more)) for name, more in changed.items()}

    def _by_shape(self) -> dict[str, str]:
        header, payload, signature = self.token().split(".")
        swapped = _encoded(self.claims(role="admin", permissions=sorted(ROLES["admin"])))
        return {
            "a payload swapped under its signature": f"{header}.{swapped}.{signature}",
            "a signature cut short": f"{header}.{payload}.{signature[:-4]}",
            "a signature of zeros": f"{header}.{payload}.{_base64(bytes(64))}",
            "no signature": f"{header}.{payload}.",
            "two parts": f"{header}.{payload}",
            "a payload that is a list": self.token(payload=[self.claims()]),
            "a payload that is no JSON": f"{header}.{_base64(b'{')}.{signature}",
            "a token in a token": f"{header}.{payload}.{signature}.{signature}",
            "nothing": "",
            "words": "not a token",
        }


def _encoded(part: Any) -> str:
    return _base64(json.dumps(part).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _hmac(key: bytes, digest: str) -> Callable[[bytes], bytes]:
    return lambda text: hmac.new(key, text, digest).digest()

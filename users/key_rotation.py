"""Changing the key that signs tokens while every valid token stays valid.

`JWT_SIGNING_KEYS` is a list: its first key signs, all of them verify. Processes restart one after the other, so at
any moment some have the list of before; each step is safe for that:

1. `add` appends a new key: everybody learns to verify with it before anybody signs with it.
2. `promote` moves the newest key to the front: it signs, the old one still verifies.
3. `retire` drops all others, once the longest-lived token that they signed has run out.
"""

import base64
import secrets

from users.credentials import SigningKeys
from users.refusals import InvalidInput

SEED_BYTES = 32


def written(keys: SigningKeys) -> str:
    """Write the ring as the environment variable holds it."""
    return ",".join(f"{kid}:{base64.b64encode(seed).decode()}" for kid, seed in keys)


def add(keys: SigningKeys, *, kid: str) -> SigningKeys:
    """Append a new random key that verifies and doesn't sign. Refuses with InvalidInput a name that is in use."""
    if kid in dict(keys):
        raise InvalidInput(f"The ring has a key named {kid} already.", field="kid")
    return (*keys, (kid, secrets.token_bytes(SEED_BYTES)))


def promote(keys: SigningKeys) -> SigningKeys:
    """Let the last key sign. Refuses with InvalidInput a ring of one key."""
    if len(keys) < 2:
        raise InvalidInput("The ring has one key only: add another first.")
    return (keys[-1], *keys[:-1])


def retire(keys: SigningKeys) -> SigningKeys:
    """Keep the signing key alone. Refuses with InvalidInput a ring of one key."""
    if len(keys) < 2:
        raise InvalidInput("The ring has one key only: there is nothing to retire.")
    return keys[:1]

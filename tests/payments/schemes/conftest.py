"""An installation that trusts the tests' own Apple and Google."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.payments.schemes import apple_forge, google_forge


@pytest.fixture
def at_apple(settings: Any, tmp_path: Path) -> Any:
    """The settings of a merchant at the tests' Apple: an old and a new EC key, and an RSA key."""
    root = tmp_path / "root.pem"
    root.write_bytes(apple_forge.CHAIN.root.public_bytes(Encoding.PEM))
    paths = []
    for number, private_key in enumerate((apple_forge.key(7), apple_forge.key(8), apple_forge.rsa_key(9))):
        path = tmp_path / f"processing-{number}.pem"
        path.write_bytes(apple_forge.pem(private_key))
        paths.append(str(path))
    settings.APPLE_PAY_ROOT_CA = str(root)
    settings.APPLE_PAY_PROCESSING_KEYS = tuple(paths)
    settings.APPLE_PAY_MERCHANT_ID = apple_forge.MERCHANT_ID
    return settings


@pytest.fixture
def at_google(settings: Any, tmp_path: Path) -> Any:
    """The settings of a merchant at the tests' Google: a file of root keys, an old and a new key of ours."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(google_forge.root_list()))
    paths = []
    for number, private_key in enumerate((google_forge.key(7), google_forge.key(8))):
        path = tmp_path / f"google-{number}.pem"
        path.write_bytes(apple_forge.pem(private_key))
        paths.append(str(path))
    settings.GOOGLE_PAY_ROOT_KEYS = str(keys)
    settings.GOOGLE_PAY_PRIVATE_KEYS = tuple(paths)
    settings.GOOGLE_PAY_RECIPIENT_ID = google_forge.RECIPIENT
    return settings

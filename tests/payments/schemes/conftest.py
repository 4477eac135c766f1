"""An installation that trusts the tests' own Apple and Google."""

from pathlib import Path
from typing import Any

import pytest

from tests.payments.schemes import apple_forge, google_forge


@pytest.fixture
def at_apple(settings: Any, tmp_path: Path) -> Any:
    """Give the settings of a merchant at the tests' Apple."""
    for name, value in apple_forge.merchant(tmp_path).items():
        setattr(settings, name, value)
    return settings


@pytest.fixture
def at_google(settings: Any, tmp_path: Path) -> Any:
    """Give the settings of a merchant at the tests' Google."""
    for name, value in google_forge.merchant(tmp_path).items():
        setattr(settings, name, value)
    return settings

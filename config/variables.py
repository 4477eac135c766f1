"""How one environment variable is declared: a field of a dataclass that knows how to read it, and what it means."""

from collections.abc import Callable
from dataclasses import MISSING, field
from typing import Any


def variable(
    doc: str,
    parse: Callable[[str], Any],
    default: Any = MISSING,
    *,
    secret: bool = False,
    required_in_production: bool = False,
    sandbox_only: str = "",
) -> Any:
    """Declare one variable; without a default it must be set in every mode.

    A value that starts with `sandbox_only`, where that is given, is refused in production.
    """
    metadata = {
        "doc": doc,
        "parse": parse,
        "secret": secret,
        "required": default is MISSING,
        "required_in_production": required_in_production,
        "sandbox_only": sandbox_only,
    }
    if default is MISSING:
        return field(metadata=metadata)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)

"""Finds a processor by name: `sandbox` is `payments.processors.sandbox`, a dotted path is anybody's class."""

import re

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from payments.processors.contract import Processor

_EXPECTED = (
    "PAYMENT_PROCESSOR can't be used: expected the name of a processor in payments/processors (such as sandbox), or"
    " the dotted path of a class or function that makes a payments.processors.contract.Processor."
)


def processor_in_use() -> Processor:
    """Give the processor that new charges go to (`PAYMENT_PROCESSOR`).

    Refuses with ImproperlyConfigured, naming the variable, what is no processor.
    """
    return _load(settings.PAYMENT_PROCESSOR)


def processor_of(name: str) -> Processor:
    """Give the processor that an existing payment was made with, even when new ones go elsewhere by now."""
    current = processor_in_use()
    return current if current.name == name else _load(name)


def _load(name: str) -> Processor:
    path = name if "." in name else f"payments.processors.{name}.processor"
    try:
        maker = import_string(path) if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) else None
    except ImportError as missing:
        raise ImproperlyConfigured(_EXPECTED) from missing
    made = maker() if callable(maker) else None
    if not callable(getattr(made, "find_charge", None)):
        raise ImproperlyConfigured(_EXPECTED)
    processor: Processor = made  # type: ignore[assignment]
    return processor

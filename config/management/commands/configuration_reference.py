"""Write the configuration reference from the typed declarations, so that it can't tell something else."""

from dataclasses import MISSING, fields
from typing import Any

from django.core.management.base import BaseCommand

from config.environment import Environment
from config.value_forms import Rate

HEAD = """# Configuration reference

Every environment variable that Open Wallet reads. Made by `make configuration-reference` from
`config/environment.py`, which says the same with types. A value that can't be used, or a secret that is missing,
stops the boot with the variable's name.

| variable | default | meaning |
| --- | --- | --- |
"""


def shown_default(value: Any) -> str:
    """Show a default as it would be written in the environment."""
    if value is MISSING:
        return "must be set"
    if isinstance(value, Rate):
        return f"`{value.limit}/{value.window_s // 60}m`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return f"`{','.join(f'{name}:{amount}' for name, amount in value.items())}`" if value else "empty"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`" if value else "empty"
    return f"`{value}`" if value not in ("", b"") else "empty"


def reference() -> str:
    """Give the whole page."""
    rows = []
    for declared in fields(Environment):
        made = declared.default if declared.default_factory is MISSING else declared.default_factory()
        default = shown_default(made)
        notes = [declared.metadata["doc"]]
        if declared.metadata["required_in_production"]:
            notes.append("Must be set in production.")
        if declared.metadata["secret"]:
            notes.append("Secret.")
        rows.append(f"| `{declared.name.upper()}` | {default} | {' '.join(notes)} |")
    return HEAD + "\n".join(rows) + "\n"


class Command(BaseCommand):
    """`manage.py configuration_reference`."""

    help = "Print the configuration reference that stands in docs/configuration.md."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the page."""
        self.stdout.write(reference(), ending="")

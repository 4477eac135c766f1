"""The composition root as a Django app: it owns the system checks and the counter of calls."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Register the system checks."""
        from config import checks

        checks.register_checks()

"""The composition root as a Django app: it owns the system checks and the counter of calls."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Register the system checks, and have each migrate end with the grants of the application's role."""
        from config import checks, database_grants

        checks.register_checks()
        post_migrate.connect(database_grants.grant, sender=apps.get_app_config("users"))

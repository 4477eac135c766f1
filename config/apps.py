"""The composition root as a Django app: it owns the system checks and the counter of calls."""

from django.apps import AppConfig, apps
from django.conf import settings
from django.db.models.signals import post_migrate


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Register the checks, let each migrate end with the grants, let tasks carry their request's context."""
        from config import checks, database_grants, sweep_outcomes
        from config.gateway import task_context

        checks.register_checks()
        if settings.IS_TRACED:
            from config import tracing

            # Before the context of tasks, which takes their trace from their span.
            tracing.start(
                service=settings.TRACED_SERVICE, version=settings.VERSION, mode=settings.OPEN_WALLET_MODE
            )
        if settings.SENTRY_DSN:
            from config import error_reports

            error_reports.start(
                dsn=settings.SENTRY_DSN, release=settings.VERSION, environment=settings.SENTRY_ENVIRONMENT
            )
        task_context.connect()
        sweep_outcomes.connect()
        post_migrate.connect(database_grants.grant, sender=apps.get_app_config("users"))

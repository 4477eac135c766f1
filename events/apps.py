from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell how failed work is tried again."""
        from events import notifications
        from events.failed_work import WorkKind, kinds

        kinds[notifications.KIND] = WorkKind("events.tell_people", notifications.make_due)

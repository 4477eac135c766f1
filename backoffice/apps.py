from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class BackofficeConfig(AppConfig):
    name = "backoffice"
    default = True
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system check of staff's pages, and hear of whom Django logs in."""
        from django.contrib.auth.signals import user_logged_in

        import backoffice.checks  # noqa: F401 - registers itself
        from backoffice.session_guard import open_session

        user_logged_in.connect(open_session, dispatch_uid="backoffice.staff_session")


class BackofficeAdminConfig(admin_apps.AdminConfig):
    """Django's admin with this project's site: INSTALLED_APPS names it in place of `django.contrib.admin`."""

    default = False
    default_site = "backoffice.site.BackofficeSite"

    def ready(self) -> None:
        """Find the apps' screens; Django's groups mean nothing here, since permissions go by role."""
        from django.contrib.admin import site
        from django.contrib.auth.models import Group

        super().ready()
        site.unregister(Group)

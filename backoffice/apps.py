from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class BackofficeConfig(AppConfig):
    name = "backoffice"
    default = True
    default_auto_field = "django.db.models.BigAutoField"


class BackofficeAdminConfig(admin_apps.AdminConfig):
    """Django's admin with this project's site: INSTALLED_APPS names it in place of `django.contrib.admin`."""

    default = False
    default_site = "backoffice.site.BackofficeSite"

"""The Celery application: tasks are doorbells, the due rows in the database are the queue."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

app = Celery("open_wallet")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

"""The composition root: settings, urls, Celery and the API gateway layer."""

from config.celery import app as celery_app

__all__ = ["celery_app"]

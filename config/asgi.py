"""The ASGI entry point: for the stream of events, which a thread for each listener would be too dear for.

Everything else is served by gunicorn; the same views answer here, more slowly.
"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_asgi_application()

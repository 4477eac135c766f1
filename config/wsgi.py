"""The WSGI entry point that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

_django = get_wsgi_application()

from django.conf import settings  # noqa: E402 - they can't be read before

from config.gateway.handing_over import HandsStreamsOver  # noqa: E402

application = HandsStreamsOver(_django, address=settings.STREAM_SOCKET)

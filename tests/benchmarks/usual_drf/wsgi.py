"""The WSGI entry point that gunicorn serves."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.usual_drf.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

"""The test suite: real PostgreSQL, and a Redis database for each parallel worker."""

import os
import re

_worker = re.fullmatch(r"gw([0-9]+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
if _worker and os.environ.get("REDIS_URL"):
    _server, _, _number = os.environ["REDIS_URL"].rpartition("/")
    os.environ["REDIS_URL"] = f"{_server}/{int(_number) + int(_worker[1]) + 1}"

from config.settings.base import *  # noqa: E402, F403

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
# Every test calls from one address; those of the quotas set their own.
RATE_LIMITS = dict.fromkeys(RATE_LIMITS)  # noqa: F405
# A replica of somebody's real database would be read by the tests; those of the replica make their own.
DATABASES.pop("replica", None)  # noqa: F405
# Tests write the log of calls down themselves, on their own connection.
API_LOG_EVERY_S = 0

"""The container's health check: the web server answers; any other process of the image is judged by its orchestrator."""

import http.client
import os
import sys
from pathlib import Path

command = Path("/proc/1/cmdline").read_bytes()
if b"gunicorn" in command:
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=4)
    connection.request("GET", "/health")
    sys.exit(0 if connection.getresponse().status == http.client.OK else 1)

"""How gunicorn serves the API: threads, one listening socket for each worker, the application loaded once.

Without a socket of its own for each worker one of them takes nearly all connections, and without
preloading the first request waits for the whole application to be imported.
"""

import multiprocessing
import os

from prometheus_client import multiprocess

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", str(min(4, multiprocessing.cpu_count()))))
threads = int(os.environ.get("WEB_THREADS", "8"))
reuse_port = True
preload_app = True
keepalive = 75
timeout = 60
graceful_timeout = 30
max_requests = 0
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"


def child_exit(server: object, worker: object) -> None:
    """Forget the gauges of a worker that died, so that they aren't summed up for ever."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[attr-defined]

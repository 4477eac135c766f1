"""How gunicorn serves the API: threads, one listening socket for each worker, the application loaded once.

Without a socket of its own for each worker one of them takes nearly all connections, and without preloading the
first request waits for the whole application to be imported.
"""

import gc
import multiprocessing

from prometheus_client import multiprocess

from config.environment import environment

bind = (
    f"unix:{environment.web_socket}" if environment.web_socket else f"{environment.host}:{environment.port}"
)
worker_class = "config.gateway.unread_requests.Worker"
workers = environment.web_workers or min(4, multiprocessing.cpu_count())
threads = environment.web_threads
# Unix sockets can't be shared so; newer kernels refuse to be asked.
reuse_port = not environment.web_socket
preload_app = True
keepalive = 75
timeout = 60
graceful_timeout = 30
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"


def when_ready(server: object) -> None:
    """Keep what preloading has made out of every later garbage collection, and its pages shared by the workers."""
    gc.collect()
    gc.freeze()


def child_exit(server: object, worker: object) -> None:
    """Forget the gauges of a worker that died, so that they aren't summed up for ever."""
    if environment.prometheus_multiproc_dir:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[attr-defined]  # gunicorn has no types

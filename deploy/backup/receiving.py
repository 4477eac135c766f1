"""The receiver of the write-ahead log: a synchronous standby that only writes down.

`pg_receivewal --synchronous` flushes each piece as it arrives and says so at once. With this receiver's name
(`open_wallet_wal`) in `synchronous_standby_names` no commit is acknowledged before its log lies here as well. Finished
files go to the archive, sealed; the one that is being written stays in the spool, in plain: give it an encrypted disk.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from types import FrameType

from deploy.backup.metrics_server import serve_status
from deploy.backup.refusals import Refused
from deploy.backup.settings import Settings
from deploy.backup.status import write_log_status
from deploy.backup.wal_archive import seal_finished

APPLICATION_NAME = "open_wallet_wal"
LOOK_EVERY_S = 0.5
SAY_EVERY_S = 15.0
LONGEST_STOP_S = 10.0


def receive(settings: Settings, *, is_over: Callable[[], bool]) -> None:
    """Receive and seal until `is_over`. Refuses when pg_receivewal ends: whoever runs this starts it anew."""
    environment = {**os.environ, "PGAPPNAME": APPLICATION_NAME}
    program, slot = settings.program("pg_receivewal"), f"--slot={settings.slot}"
    made = subprocess.run(
        [program, "--create-slot", "--if-not-exists", slot, "--no-password"],
        env=environment,
        capture_output=True,
        text=True,
    )
    if made.returncode != 0:
        raise Refused(f"The slot can't be made: {made.stderr.strip() or 'pg_receivewal failed'}")
    command = [program, slot, f"--directory={settings.spool}", "--synchronous", "--no-password"]
    receiver = subprocess.Popen([*command, "--status-interval=1"], env=environment)
    said_at = 0.0
    try:
        while not is_over():
            sealed = seal_finished(settings)
            if sealed or time.monotonic() - said_at > SAY_EVERY_S:
                write_log_status(settings)
                said_at = time.monotonic()
            if receiver.poll() is not None:
                raise Refused(f"pg_receivewal ended with exit code {receiver.returncode}.")
            time.sleep(LOOK_EVERY_S)
    finally:
        receiver.terminate()
        try:
            receiver.wait(timeout=LONGEST_STOP_S)
        except subprocess.TimeoutExpired:
            receiver.kill()
            receiver.wait()
    seal_finished(settings)


def receive_until_told(settings: Settings) -> None:
    """Receive until SIGTERM or SIGINT; serve the figures where BACKUP_METRICS_PORT says so."""
    over = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if settings.metrics_port:
        serve_status(settings.status, port=settings.metrics_port)
    receive(settings, is_over=over.is_set)

"""A web server is replaced while it is called: by the script that operators use, without a call that fails."""

import threading
from http.client import HTTPException
from pathlib import Path

from deploy.rolling.instances import Instance, Over

CALLERS = 4


def test_when_a_server_is_replaced_under_load_then_no_call_fails(
    database_environment: dict[str, str], tmp_path: Path
) -> None:
    environment = {
        **database_environment,
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "WEB_WORKERS": "1",
    }
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    instance = Instance("a", folder=tmp_path, environment=environment)
    over = threading.Event()
    statuses: list[int] = []
    failures: list[Exception] = []

    def call() -> None:
        while not over.wait(0.02):
            connection = Over(instance.link)
            try:
                connection.request("GET", "/health")
                statuses.append(connection.getresponse().status)
            except (OSError, HTTPException) as failure:
                failures.append(failure)
            finally:
                connection.close()

    try:
        instance.replace()
        first = instance.process
        callers = [threading.Thread(target=call) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        instance.replace()
        over.set()
        for caller in callers:
            caller.join()
    finally:
        over.set()
        instance.stop()

    assert first is not None
    assert first.returncode == 0
    assert failures == []
    assert set(statuses) == {200}
    assert len(statuses) > 50
    assert not list(tmp_path.glob("a.1"))

"""The supervisor, with small real processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_WAIT_S = 20.0

# Notes its process id in a line of NAME.pids, its end by SIGTERM in a line of `ends`.
LONG_RUNNING = """
import os, signal, sys, time
folder, name = os.environ["FOLDER"], {name!r}
def end(number, frame):
    with open(folder + "/ends", "a") as ends:
        ends.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
with open(folder + "/" + name + ".pids", "a") as pids:
    pids.write(str(os.getpid()) + "\\n")
while True:
    time.sleep(0.05)
"""
DEAF = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(os.environ["FOLDER"] + "/deaf.pids", "a") as pids:
    pids.write(str(os.getpid()) + "\\n")
time.sleep(600)
"""
# Like a web server: the parent ends with its group, the child has no idea of it.
WITH_GRANDCHILD = """
import os, signal, time
if os.fork() == 0:
    name = "grandchild"
else:
    name = "parent"
with open(os.environ["FOLDER"] + "/" + name + ".pids", "a") as pids:
    pids.write(str(os.getpid()) + "\\n")
time.sleep(600)
"""

Supervise = Callable[..., "subprocess.Popen[str]"]


def long_running(name: str, **options: object) -> dict[str, object]:
    return {"name": name, "code": LONG_RUNNING.format(name=name), **options}


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    """Start a supervisor with the given tiers in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *tiers: list[dict[str, object]] | dict[str, object], longest_start_s: float = LONGEST_WAIT_S
    ) -> "subprocess.Popen[str]":
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.launcher.supervise", str(tmp_path), str(longest_start_s)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(supervisor)
        assert supervisor.stdin is not None
        json.dump(tiers, supervisor.stdin)
        supervisor.stdin.close()
        supervisor.stdin = None
        return supervisor

    yield start

    for supervisor in started:
        supervisor.kill()
        supervisor.communicate()


def pids(folder: Path, name: str, *, count: int = 1) -> list[int]:
    """Return the process ids that a program has noted, once there are `count` of them."""
    file = folder / f"{name}.pids"
    wait_until(lambda: file.exists() and len(file.read_text().splitlines()) >= count)
    return [int(line) for line in file.read_text().splitlines()]


def wait_until(condition: Callable[[], bool]) -> None:
    latest = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        assert time.monotonic() < latest
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """A zombie counts as dead: it runs nothing any more and waits for its reaper."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_when_interrupted_then_applications_stop_before_databases(
    supervise: Supervise, tmp_path: Path, number: signal.Signals
) -> None:
    supervisor = supervise([long_running("database")], [long_running("application")])
    children = [*pids(tmp_path, "database"), *pids(tmp_path, "application")]
    wait_until((tmp_path / "ready").exists)

    supervisor.send_signal(number)
    output, _ = supervisor.communicate(timeout=LONGEST_WAIT_S)

    assert supervisor.returncode == 0
    assert output.splitlines() == ["Stopping …"]
    assert (tmp_path / "ends").read_text().splitlines() == ["application", "database"]
    assert [pid for pid in children if is_alive(pid)] == []


def test_when_a_child_is_killed_then_it_is_started_again(supervise: Supervise, tmp_path: Path) -> None:
    supervisor = supervise([long_running("web"), long_running("other")])
    first = pids(tmp_path, "web")[0]

    os.kill(first, signal.SIGKILL)
    restarted = pids(tmp_path, "web", count=2)[1]

    assert is_alive(restarted)
    assert len(pids(tmp_path, "other")) == 1
    supervisor.terminate()
    output, _ = supervisor.communicate(timeout=LONGEST_WAIT_S)
    assert output.splitlines() == [
        "web ended (signal SIGKILL) and is started again.",
        "Stopping …",
    ]


def test_when_a_child_is_killed_often_then_it_is_still_started_again(
    supervise: Supervise, tmp_path: Path
) -> None:
    supervise([long_running("web")])

    for count in range(1, 7):
        os.kill(pids(tmp_path, "web", count=count)[-1], signal.SIGKILL)

    assert is_alive(pids(tmp_path, "web", count=7)[-1])


def test_when_a_child_cannot_start_then_all_ends_with_its_last_line(
    supervise: Supervise, tmp_path: Path
) -> None:
    code = "import sys; print('reading'); print('no luck today'); sys.exit(3)"

    supervisor = supervise(
        [long_running("database", ready_file="database.pids")],
        [{"name": "web", "code": code, "ready_file": "never"}],
    )
    output, _ = supervisor.communicate(timeout=LONGEST_WAIT_S)

    assert supervisor.returncode == 1
    *restarts, last = output.splitlines()
    assert restarts == ["web ended (exit code 3) and is started again."] * 3
    assert last == (
        "web can't start: it ended 4 times in a row (exit code 3). Its last line: no luck today "
        f"(the whole log: {tmp_path}/web.log)"
    )
    assert (tmp_path / "ends").read_text() == "database\n"


def test_when_a_step_between_the_tiers_fails_then_all_ends_with_its_last_line(
    supervise: Supervise, tmp_path: Path
) -> None:
    fails = {
        "name": "prepare",
        "code": "import sys; print('half done', flush=True); sys.exit('no such table')",
    }

    supervisor = supervise(
        [long_running("database", ready_file="database.pids")], fails, [long_running("web")]
    )
    output, _ = supervisor.communicate(timeout=LONGEST_WAIT_S)

    assert supervisor.returncode == 1
    assert output == (
        f"prepare failed (exit code 1). Its last line: no such table (the whole log: {tmp_path}/prepare.log)\n"
    )
    assert (tmp_path / "ends").read_text() == "database\n"
    assert not (tmp_path / "web.pids").exists()


def test_when_a_step_between_the_tiers_succeeds_then_the_next_tier_starts(
    supervise: Supervise, tmp_path: Path
) -> None:
    supervise(
        {"name": "prepare", "code": "import time; time.sleep(0.2); print('done')"}, [long_running("web")]
    )

    assert len(pids(tmp_path, "web")) == 1
    assert (tmp_path / "prepare.log").read_text() == "done\n"


def test_when_a_child_is_never_ready_then_all_ends(supervise: Supervise, tmp_path: Path) -> None:
    supervisor = supervise([long_running("web", ready_file="never")], longest_start_s=1)
    output, _ = supervisor.communicate(timeout=LONGEST_WAIT_S)

    assert supervisor.returncode == 1
    assert output.splitlines()[-1] == (
        f"web isn't ready after 1 s. Its last line: it said nothing. (the whole log: {tmp_path}/web.log)"
    )
    assert (tmp_path / "ends").read_text() == "web\n"


def test_when_a_child_does_not_stop_then_it_is_killed(supervise: Supervise, tmp_path: Path) -> None:
    supervisor = supervise([{"name": "deaf", "code": DEAF}])
    pid = pids(tmp_path, "deaf")[0]

    supervisor.terminate()
    supervisor.communicate(timeout=LONGEST_WAIT_S)

    assert supervisor.returncode == 0
    assert not is_alive(pid)


def test_when_a_child_crashes_then_its_own_children_end_too(supervise: Supervise, tmp_path: Path) -> None:
    supervise([{"name": "web", "code": WITH_GRANDCHILD}])
    grandchild = pids(tmp_path, "grandchild")[0]

    os.kill(pids(tmp_path, "parent")[0], signal.SIGKILL)
    pids(tmp_path, "parent", count=2)

    wait_until(lambda: not is_alive(grandchild))


def test_when_the_supervisor_is_killed_then_no_child_stays(supervise: Supervise, tmp_path: Path) -> None:
    supervisor = supervise([long_running("database")], [long_running("application")])
    children = [*pids(tmp_path, "database"), *pids(tmp_path, "application")]

    supervisor.kill()
    supervisor.communicate(timeout=LONGEST_WAIT_S)

    wait_until(lambda: not any(is_alive(pid) for pid in children))


def test_when_the_supervisor_is_killed_then_no_grandchild_and_no_deaf_child_stays(
    supervise: Supervise, tmp_path: Path
) -> None:
    supervisor = supervise([{"name": "web", "code": WITH_GRANDCHILD}, {"name": "deaf", "code": DEAF}])
    left_behind = [pids(tmp_path, name)[0] for name in ("grandchild", "parent", "deaf")]

    supervisor.kill()
    supervisor.communicate(timeout=LONGEST_WAIT_S)

    wait_until(lambda: not any(is_alive(pid) for pid in left_behind))


def test_when_a_child_logs_json_then_the_console_has_it_as_it_is_or_its_warnings_alone(
    supervise: Supervise, tmp_path: Path
) -> None:
    lines = ["banner", '{"level":"info","event":"fine"}', '{"level":"warning","event":"odd"}']
    code = f"import time; print({chr(10).join(lines)!r}, flush=True); time.sleep(600)"

    supervisor = supervise([{"name": "web", "code": code, "console": "everything"}])
    wait_until(lambda: (tmp_path / "web.log").exists() and "odd" in (tmp_path / "web.log").read_text())
    supervisor.terminate()
    web_output, _ = supervisor.communicate(timeout=LONGEST_WAIT_S)
    supervisor = supervise([{"name": "worker", "code": code, "console": "warnings"}])
    wait_until(lambda: (tmp_path / "worker.log").exists() and "odd" in (tmp_path / "worker.log").read_text())
    supervisor.terminate()
    worker_output, _ = supervisor.communicate(timeout=LONGEST_WAIT_S)

    assert web_output.splitlines() == ["web     | banner", *lines[1:], "Stopping …"]
    assert worker_output.splitlines() == [lines[2], "Stopping …"]
    assert (tmp_path / "worker.log").read_text().splitlines() == lines


def test_when_a_child_speaks_then_console_and_log_have_it(supervise: Supervise, tmp_path: Path) -> None:
    speaker = {"name": "web", "code": "import time; print('hello\\nworld', flush=True); time.sleep(600)"}

    supervisor = supervise([{**speaker, "console": "everything"}, {**speaker, "name": "quiet"}])
    wait_until((tmp_path / "ready").exists)
    wait_until(lambda: all((tmp_path / f"{name}.log").stat().st_size > 0 for name in ("web", "quiet")))
    supervisor.terminate()
    output, _ = supervisor.communicate(timeout=LONGEST_WAIT_S)

    assert sorted(output.splitlines()) == sorted(["web     | hello", "web     | world", "Stopping …"])
    assert (tmp_path / "web.log").read_text() == "hello\nworld\n"
    assert (tmp_path / "quiet.log").read_text() == "hello\nworld\n"
    assert (tmp_path / "web.log").stat().st_mode & 0o777 == 0o600

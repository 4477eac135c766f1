"""What a killed part leaves behind: nothing that runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("HOME", "LANG", "PATH", "TMPDIR", "OPEN_WALLET_PG_BIN")
LONGEST_END_S = 10.0
# A program that doesn't care for its parent, in a part that waits to be killed.
PART = """
import signal, sys
from pathlib import Path
from deploy.local import undertaker
from deploy.local.programs import Program
from tests.proof.parts import Part
from tests.proof.stack import Stack

undertaker.GRACE_S = 0.2
stack = Stack(Path(sys.argv[1]), part=Part("nothing", promise="", shows=(), minutes=1.0, programs=()))
stack.add(Program(name="server", command=["sleep", "600"], environment={}))
print(stack.pid_of("server"), flush=True)
signal.pause()
"""


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_when_a_part_is_killed_then_its_servers_end_with_it(tmp_path: Path) -> None:
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    command = [sys.executable, "-c", PART, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as part:
        assert part.stdout is not None
        server = int(part.stdout.readline())
        ran = runs(server)

        part.send_signal(signal.SIGKILL)

    until = time.monotonic() + LONGEST_END_S
    while runs(server) and time.monotonic() < until:
        time.sleep(0.05)
    assert (ran, runs(server)) == (True, False)

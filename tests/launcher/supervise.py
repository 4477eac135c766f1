"""Runs a Supervisor for the tests of it: `python -m tests.launcher.supervise FOLDER LONGEST_START_S`, tiers as JSON on stdin."""

import functools
import json
import signal
import sys
from pathlib import Path

from deploy.local import supervisor, undertaker
from deploy.local.programs import Console, Program
from deploy.local.refusals import CannotStart, Interrupted

QUICK_STOP_S = 1.0
QUICK_GRACE_S = 0.3
QUICK_RESTART_S = 0.02


def main() -> int:
    folder = Path(sys.argv[1])
    # A suite under nohup hands its deafness down; what is tested here is a terminal's way.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    undertaker.GRACE_S = QUICK_GRACE_S
    supervisor.LONGEST_STOP_S = QUICK_STOP_S
    supervisor.LONGEST_START_S = float(sys.argv[2])
    supervisor.FIRST_RESTART_DELAY_S = QUICK_RESTART_S
    try:
        with supervisor.Supervisor(logs=folder) as keeper:
            for tier in json.load(sys.stdin):
                if isinstance(tier, dict):
                    keeper.complete(_program(folder, **tier))
                    continue
                keeper.start([_program(folder, **described) for described in tier])
            (folder / "ready").touch()
            keeper.watch()
    except CannotStart as refusal:
        print(refusal, flush=True)
        return 1
    except Interrupted:
        return 0


def _program(
    folder: Path, *, name: str, code: str, ready_file: str = "", console: str = "nothing"
) -> Program:
    return Program(
        name=name,
        command=[sys.executable, "-S", "-E", "-c", code],
        environment={"FOLDER": str(folder)},
        is_ready=functools.partial((folder / ready_file).exists) if ready_file else None,
        console=Console(console),
    )


if __name__ == "__main__":
    sys.exit(main())

"""Runs the embedded services for the tests of them: `python -m tests.launcher.serve FOLDER`; prints where they are, as JSON."""

import json
import os
import sys
from pathlib import Path

from deploy.local.data_directory import DataDirectory
from deploy.local.refusals import CannotStart, Interrupted
from deploy.local.services import start_services
from deploy.local.supervisor import Supervisor


def main() -> int:
    data = DataDirectory(Path(sys.argv[1]))
    given = {name: value for name, value in os.environ.items() if name in ("PATH", "OPEN_WALLET_PG_BIN")}
    try:
        with Supervisor(logs=data.logs) as supervisor:
            services = start_services(supervisor, data=data, venv=Path(sys.prefix), given=given, durable=True)
            print(json.dumps(services), flush=True)
            supervisor.watch()
    except CannotStart as refusal:
        print(refusal, flush=True)
        return 1
    except Interrupted:
        return 0


if __name__ == "__main__":
    sys.exit(main())

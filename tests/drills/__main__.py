"""`make drill-restore` and `make drill-failover`, or `python -m tests.drills restore [--seconds 8]`."""

import argparse
import sys
from collections.abc import Sequence

from tests.drills import failover, restore

DRILLS = {"restore": restore.drill, "failover": failover.drill}


def main(arguments: Sequence[str]) -> int:
    """Run one drill; 1 when it is red."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    parser.add_argument("drill", choices=DRILLS)
    parser.add_argument("--seconds", type=float, default=8.0, help="how long the load lasts")
    given = parser.parse_args(arguments)
    return DRILLS[given.drill](seconds=given.seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

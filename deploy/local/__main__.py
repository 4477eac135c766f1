"""`python3 -m deploy.local COMMAND`: finds a Python that is new enough, then hands over to commands.py.

This file alone keeps to the syntax of old Pythons, so that they can say what is wrong with them.
"""

import os
import shutil
import sys

OLDEST_PYTHON = (3, 11)
NEWER_PYTHONS = ["python3.14", "python3.13", "python3.12", "python3.11"]


def refuse_or_replace_old_python():
    # type: () -> None
    """Continue under a newer Python of this machine when the present one is too old; refuse when there is none."""
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return
    for name in NEWER_PYTHONS:
        path = shutil.which(name)
        if path:
            os.execv(path, [path, "-m", "deploy.local"] + sys.argv[1:])  # noqa: RUF005, S606
    version = ".".join(str(part) for part in sys.version_info[:2])
    sys.exit(
        "Python " + version + " is too old: install Python 3.11 or newer, "
        "then name it, as in `make run PYTHON=python3.12`."
    )


if __name__ == "__main__":
    refuse_or_replace_old_python()

    from deploy.local.commands import main

    sys.exit(main(sys.argv[1:]))

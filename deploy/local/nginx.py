"""Where nginx is, for the drill of a rolling update."""

import os
import shutil
import subprocess

from deploy.local.console import say
from deploy.local.refusals import CannotStart

PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


def find_nginx() -> str:
    """Return nginx's program, which root installs where it is missing. Refuses with CannotStart."""
    if found := shutil.which("nginx", path=PLACES):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("Installing nginx …")
        # In the first run level a package starts no service.
        quiet = {**os.environ, "RUNLEVEL": "1", "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "nginx"]):
            subprocess.run(["apt-get", "--quiet=2", *arguments], env=quiet, capture_output=True)
        if found := shutil.which("nginx", path=PLACES):
            return found
    raise CannotStart("A rolling update needs nginx: apt-get install nginx.")

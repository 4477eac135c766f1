"""`make bench`, or `python -m tests.benchmarks` with the databases of the environment, which get filled.

BENCH_SECONDS (5) is the length of one measurement, BENCH_ROUNDS (3) how often each is taken, BENCH_CONNECTIONS (8)
how many clients ask at once. `--costs` measures what one transfer costs, `--write-script` writes its SQL anew instead.
"""

import os
import subprocess
import sys

import django

from tests.benchmarks.servers import ROOT, free_port

# Raised as an operator would, not removed: every call is still counted.
RAISED_LIMITS = {
    f"RATE_LIMIT_{name}": "1000000/15m" for name in ("GLOBAL", "USER", "PAYMENT", "SERVICE", "LOGIN")
}


def main(arguments: list[str]) -> int:
    """Measure and print, or write the transfer's pgbench script anew."""
    port = free_port()
    # Before Django reads its settings, here and in the servers that will be started.
    os.environ.update(
        {
            "OPEN_WALLET_MODE": "production",
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "ALLOWED_HOSTS": "127.0.0.1",
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "LOG_LEVEL": "ERROR",
            **RAISED_LIMITS,
        }
    )
    subprocess.run([sys.executable, "manage.py", "prepare", "--verbosity=0"], cwd=ROOT, check=True)
    django.setup()

    from tests.benchmarks import comparison, costs

    if "--costs" in arguments:
        return costs.measure(port=port)
    return comparison.write_script() if "--write-script" in arguments else comparison.measure(port=port)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

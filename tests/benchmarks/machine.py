"""What the figures were measured on: processor, memory, interpreter, versions. No names of hosts."""

import os
import platform
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("Django", "djangorestframework", "psycopg", "gunicorn", "orjson", "redis")


def described(*, postgresql: str, key_value_store: str) -> dict[str, Any]:
    """Describe this machine and this interpreter."""
    cpu_lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in cpu_lines if line.startswith("model name")]
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_kib / 2**20),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "python_compiler": platform.python_compiler(),
        # Optimised builds run the same code up to 1.6 times faster.
        "python_profile_guided": "--enable-optimizations" in arguments,
        "python_link_time_optimized": "--with-lto" in arguments,
        "python_shared_library": bool(sysconfig.get_config_var("Py_ENABLE_SHARED")),
        "postgresql": postgresql,
        "key_value_store": key_value_store,
        "packages": {package: version(package) for package in PACKAGES},
    }

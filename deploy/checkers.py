"""Gives each file that deploys or watches an installation to its own checker: `make check-deploy`.

The checkers are developers' tools that nothing of the application needs. They live in a venv of their own, made from
requirements/deploy.txt when they are asked for the first time; promtool comes from Debian's package `prometheus`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from deploy.local.console import say
from deploy.local.ports import free_port
from deploy.local.postgres import find_programs
from deploy.local.refusals import CannotStart
from deploy.local.services import POSTGRES_IN_WHEEL

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements" / "deploy.txt"
TOOLS = ROOT / ".data" / "checkers"


def check_deployment() -> int:
    """Run all checkers; print what the failing ones say and return 1 if there are any.

    Refuses with CannotStart where a checker is missing and can't be installed.
    """
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if promtool is None:
        raise CannotStart("make check-deploy needs promtool: apt-get install prometheus, or set PROMTOOL.")
    tools = _tools()
    manifests = sorted(str(path) for path in (ROOT / "deploy/kubernetes").rglob("*.yaml"))
    objects = [path for path in manifests if not path.endswith(("kustomization.yaml", ".patch.yaml"))]
    checks: dict[str, Sequence[str]] = {
        "hadolint": [tools("hadolint"), "Dockerfile", "deploy/database/Dockerfile"],
        **{
            f"patroni of {path.parent.name}": [
                *("env", *_patroni_variables()),
                *(tools("patroni"), "--validate-config", str(path)),
            ]
            for path in sorted((ROOT / "deploy/kubernetes").rglob("patroni.yml"))
        },
        "compose": [tools("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        "kubernetes": [
            *(tools("kubernetes-validate"), "--strict", "--quiet"),
            *objects,
        ],
        "alerts": [promtool, "check", "rules", "deploy/prometheus/alerts.yaml"],
        "alerts' tests": [promtool, "test", "rules", "deploy/prometheus/alerts_test.yaml"],
        "workflows": [
            *(tools("check-jsonschema"), "--builtin-schema", "vendor.github-workflows"),
            *sorted(str(path) for path in (ROOT / ".github/workflows").glob("*.yaml")),
        ],
        "zizmor": [tools("zizmor"), "--offline", "--quiet", ".github/workflows"],
        "dependabot": [
            *(tools("check-jsonschema"), "--builtin-schema", "vendor.dependabot"),
            ".github/dependabot.yaml",
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        checks["dashboards"] = [promtool, "check", "rules", str(_as_rules(Path(folder)))]
        failed = [name for name, command in checks.items() if not _passes(name, command)]
    say(
        f"Deployment files ({', '.join(checks)}): "
        + (f"failed: {', '.join(failed)}." if failed else "all passed.")
    )
    return 1 if failed else 0


def _patroni_variables() -> list[str]:
    """Return what a member is given beside the file; Patroni's validator wants programs, and ports that are free."""
    wheel = next(iter(sorted((ROOT / ".venv").glob(POSTGRES_IN_WHEEL))), None)
    programs = find_programs(wheel=wheel, environment=os.environ)
    values = {
        "PATH": f"{programs}:{os.environ.get('PATH', '')}",
        "PATRONI_NAME": "postgres-0",
        "PATRONI_KUBERNETES_NAMESPACE": "open-wallet",
        "PATRONI_KUBERNETES_POD_IP": "192.0.2.1",
        "PATRONI_POSTGRESQL_LISTEN": f"127.0.0.1:{free_port()}",
        "PATRONI_POSTGRESQL_CONNECT_ADDRESS": "192.0.2.1:5432",
        "PATRONI_RESTAPI_LISTEN": f"127.0.0.1:{free_port()}",
        "PATRONI_RESTAPI_CONNECT_ADDRESS": "192.0.2.1:8008",
        **{f"PATRONI_{role}_USERNAME": role.lower() for role in ("SUPERUSER", "REPLICATION")},
        **{f"PATRONI_{role}_PASSWORD": "none" for role in ("SUPERUSER", "REPLICATION")},
    }
    return [f"{name}={value}" for name, value in values.items()]


def _as_rules(folder: Path) -> Path:
    """Write the expressions of all dashboards as recording rules, which promtool parses; JSON is YAML, too."""
    expressions = [
        target["expr"]
        for path in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]
    rules = [{"record": f"panel:number:{number}", "expr": expr} for number, expr in enumerate(expressions)]
    path = folder / "dashboards.yaml"
    path.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    return path


def _passes(name: str, command: Sequence[str]) -> bool:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        say(f"── {name} ──\n{(done.stdout + done.stderr).rstrip()}")
    return done.returncode == 0


class _Tools:
    """Finds a checker by its name among those that were installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> str:
        return str(self.folder / name)


def _tools() -> _Tools:
    folder = Path(os.environ.get("OPEN_WALLET_TOOLS") or TOOLS)
    stamp = folder / "installed.txt"
    if os.environ.get("OPEN_WALLET_TOOLS") or (
        stamp.is_file() and stamp.read_bytes() == REQUIREMENTS.read_bytes()
    ):
        return _Tools(folder / "bin")
    say("Installing the checkers of deployment files …")
    venv.create(folder, clear=True, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
    done = subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise CannotStart(
            f"The checkers of requirements/deploy.txt can't be installed with {sys.executable}: {last}"
        )
    shutil.copy(REQUIREMENTS, stamp)
    return _Tools(folder / "bin")

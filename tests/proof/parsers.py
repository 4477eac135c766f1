"""Part 8: strangers' bytes reach the parsers of tokens and webhooks, by atheris (libFuzzer), which is guided by coverage.

Each target has a process of its own (`guided.py`) that must end by itself, when its time is over. What the parsers raise
is noted there; a hang, too much memory and a crash of compiled code end the process, are found here, and it goes on.
"""

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.local.processes import describe_end, die_with_parent
from tests.proof.guided import counted, noted
from tests.proof.parts import Bounds, Figures, PartReport
from tests.proof.stack import Stack
from tests.workers.installation import ROOT

TARGETS = ("cms", "google", "webhooks")
TOGETHER = 1
"""How many run at the same time: one, so that a single core is enough; two take half as long on two."""

FULL_S, FEWEST_S = 600, 5
"""Seconds for each target at full size, and those below which nothing is found."""
LONGEST_INPUT_S, MOST_MEMORY_MB, LARGEST_INPUT = 20, 1024, 24_576
START_S, LATE_S = 5, 60
"""How long a process takes beyond its time, to import and to write its seeds, and how long it may take."""
MOST_ENDS = 5
"""How often a target is started again after something ended it."""

APART = ROOT / ".data" / "fuzz"
"""Where `make soak` has installed requirements/fuzz.txt."""
STATUS = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.M)
STATISTIC = re.compile(r"^stat::(\w+):\s+(\d+)", re.M)
ARTIFACTS = ("crash-*", "timeout-*", "oom-*", "leak-*", "slow-unit-*")


@dataclass(frozen=True)
class Ran:
    """What one process of the fuzzer printed, counted."""

    executions: int
    edges: int
    features: int
    units: int
    memory_mb: int
    is_whole: bool
    """Whether it told its final figures."""


@dataclass(frozen=True)
class Fuzzed:
    """What became of one target."""

    figures: Figures
    executions: int
    seconds: float
    found: tuple[str, ...]
    inputs: tuple[str, ...]
    """What repeats what was found, whole, in base64."""


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Fuzz each target for its ten minutes, or the share of them that there is time for."""
    packages = fuzzer_packages()
    if packages is None:
        return not_run(seed)
    full_s = max(FEWEST_S, bounds.of(FULL_S))
    rounds = -(-len(TARGETS) // TOGETHER)
    each_s = int(max(FEWEST_S, min(full_s, bounds.left_s / rounds - START_S)))
    environment = {**os.environ, **stack.environment, "PYTHONPATH": os.pathsep.join((str(ROOT), packages))}
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)

    def fuzzed(name: str) -> Fuzzed:
        folder = stack.folder / name
        folder.mkdir()
        return fuzz(name, folder, seed=seed, seconds=each_s, environment=environment)

    with ThreadPoolExecutor(max_workers=TOGETHER) as pool:
        outcomes = dict(zip(TARGETS, pool.map(fuzzed, TARGETS), strict=True))
    figures: Figures = {"seconds for each": each_s}
    for name, outcome in outcomes.items():
        figures |= {f"{name}: {what}": value for what, value in outcome.figures.items()}
        for line in outcome.inputs:
            print(f"{name}: {line}")
    return PartReport(
        "parsers",
        seed,
        figures,
        holds=not any(outcome.found for outcome in outcomes.values()),
        tried=sum(outcome.executions for outcome in outcomes.values()),
        is_complete=all(outcome.seconds >= full_s and outcome.executions for outcome in outcomes.values()),
        found=tuple(f"{name}: {text}" for name, outcome in outcomes.items() for text in outcome.found),
    )


def not_run(seed: int) -> PartReport:
    """Report that there was no fuzzer; nothing else stands in for it."""
    figures: Figures = {
        "not run": "atheris isn't installed: it has no wheel for this Python or this machine, or the registry"
        " couldn't be reached"
    }
    return PartReport("parsers", seed, figures, holds=True, tried=0, is_complete=False)


def fuzzer_packages(apart: Path = APART) -> str | None:
    """Tell where the fuzzer is, if it is there and runs with this interpreter."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = apart / "lib" / version / "site-packages"
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    tried = subprocess.run([sys.executable, "-c", "import atheris"], capture_output=True, env=environment)
    return str(packages) if tried.returncode == 0 else None


def fuzz(name: str, folder: Path, *, seed: int, seconds: int, environment: Mapping[str, str]) -> Fuzzed:
    """Run one target until its time is over, again where something ended it before."""
    runs: list[Ran] = []
    found: list[str] = []
    inputs: list[str] = []
    spent_s = 0.0
    while seconds - spent_s >= 1 and len(found) < MOST_ENDS:
        options = [
            f"-seed={seed + len(runs)}",
            f"-max_total_time={round(seconds - spent_s)}",
            f"-timeout={LONGEST_INPUT_S}",
            f"-rss_limit_mb={MOST_MEMORY_MB}",
            f"-max_len={LARGEST_INPUT}",
            "-print_final_stats=1",
        ]
        command = [sys.executable, "-m", "tests.proof.guided", name, str(folder), *options]
        began = time.monotonic()
        code, printed = _printed(command, environment, longest_s=seconds - spent_s + LATE_S)
        ran = read_output(printed)
        runs.append(ran)
        spent_s += time.monotonic() - began
        if code == 0 and ran.is_whole:
            # It stops by its own clock, which begins after the imports.
            spent_s = max(spent_s, float(seconds))
            break
        said, left = ended_early(folder, code, printed)
        found.append(said)
        inputs += left
    for broken in noted(folder):
        found.append(f"{broken['place']}: {broken['says']}, by {broken['input']}")
        inputs.append(f"{broken['place']}: {broken['input']}")
    became = counted(folder)
    figures: Figures = {
        "executions": sum(ran.executions for ran in runs),
        "read": became["read"],
        "refused": became["refused"],
        "edges": max(ran.edges for ran in runs),
        "features": max(ran.features for ran in runs),
        "inputs kept": runs[-1].units,
        "memory MB": max(ran.memory_mb for ran in runs),
        "crashes": len(found),
    }
    executions = sum(ran.executions for ran in runs)
    return Fuzzed(figures, executions, spent_s, tuple(found), tuple(inputs))


def read_output(printed: str) -> Ran:
    """Read libFuzzer's last status and its final figures; without these, what it had told by then."""
    statuses = STATUS.findall(printed)
    executions, edges, features, units = (
        (int(number) for number in statuses[-1]) if statuses else (0, 0, 0, 0)
    )
    told = {name: int(number) for name, number in STATISTIC.findall(printed)}
    return Ran(
        executions=told.get("number_of_executed_units", executions),
        edges=edges,
        features=features,
        units=units,
        memory_mb=told.get("peak_rss_mb", 0),
        is_whole="number_of_executed_units" in told,
    )


def ended_early(folder: Path, code: int, printed: str) -> tuple[str, list[str]]:
    """Tell what ended a fuzzer before its time, and with which input; the input is taken out of the folder."""
    artifacts = sorted(path for pattern in ARTIFACTS for path in folder.glob(pattern))
    lines = [line for line in printed.splitlines() if "ERROR: libFuzzer" in line] or printed.splitlines()[-3:]
    reason = re.sub(r"==\d+==\s*", "", " ".join(lines))[:200]
    said = f"ended with {describe_end(code)}: {reason}"
    inputs = []
    for path in artifacts:
        inputs.append(f"{path.name}: {base64.b64encode(path.read_bytes()).decode()}")
        path.unlink()
    return (f"{said}, by {inputs[0]}" if inputs else said), inputs


def _printed(command: list[str], environment: Mapping[str, str], *, longest_s: float) -> tuple[int, str]:
    """Run a process; gives its code and all that it said. One that doesn't end is killed."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        preexec_fn=die_with_parent(signal.SIGKILL),
    ) as process:
        try:
            printed, _ = process.communicate(timeout=longest_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            printed, _ = process.communicate()
    return process.returncode, printed

"""Part 8: schemathesis walks the OpenAPI document with tokens and ids that exist; the bytes of strangers are `parsers`."""

import base64
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.access.matrix import MATRIX
from tests.access.scene import two_customers
from tests.factories.people import bearer, someone
from tests.proof.access import as_in_matrix, scopes_of
from tests.proof.calls import HttpApi
from tests.proof.parts import Bounds, Figures, PartReport
from tests.proof.stack import Stack
from tests.workers.installation import ROOT
from users.roles import AUTHENTICATED, PUBLIC
from users.roles import ROLES as ROLES_OF_USERS

EXAMPLES = 200
"""For each operation; one of which schemathesis makes fewer has no more to try."""

LONGEST_S = 3600.0
ROLES = ("user", "admin")
MOST_UNKNOWN = 0.1
"""The share of calls that may be refused for their token: those in which the fuzzer changed it."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# Streams never end, and the clock that everybody shares would run away.
LEFT_OUT = ("/api/v1/events/stream", "/sandbox/clock")


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Fuzz each operation as whoever may use it: a customer, or else an administrator."""
    asks, own, another_s = two_customers(lambda who: HttpApi(stack.port, who))
    operations = operations_of(HttpApi(stack.port).call("GET", "/api/schema", prefix="").json())
    wanted = bounds.of(EXAMPLES)
    figures: Figures = {"examples asked for in the fuzzing phase": wanted}
    found: list[str] = []
    is_complete, answers = True, 0
    longest_s = min(LONGEST_S, max(60.0, bounds.left_s * 0.9))
    tokens = {role: bearer(asks.who if role == "user" else someone(role)) for role in ROLES}
    # An administrator suspends and freezes what it is given: another customer than the one who calls meanwhile.
    ids = {"user": own, "admin": another_s}
    with ThreadPoolExecutor(len(ROLES)) as both:
        runs = {
            role: both.submit(
                fuzz_api,
                stack,
                tokens[role],
                ids[role],
                report=stack.folder / f"schemathesis-{role}.ndjson",
                operations=operations[role],
                seed=seed,
                examples=wanted,
                longest_s=longest_s,
            )
            for role in ROLES
        }
    for role, run_of_role in runs.items():
        told, broken, was_cut = run_of_role.result()
        figures |= {f"{name}, as {role}": count for name, count in told.items()}
        answers += told["answers"]
        found += broken
        if told["401"] > told["answers"] * MOST_UNKNOWN:
            found.append(
                f"{told['401']} of {told['answers']} calls as {role} had no valid token: nothing was tried"
            )
        is_complete = is_complete and not was_cut and not told["errors of the fuzzer itself"]
    return PartReport(
        "fuzz",
        seed,
        figures,
        holds=not found,
        tried=answers,
        is_complete=is_complete,
        found=tuple(found),
    )


def operations_of(document: dict[str, Any]) -> dict[str, list[str]]:
    """Share out the operations of the document: to an administrator those that no customer may use."""
    shared: dict[str, list[str]] = {role: [] for role in ROLES}
    for path, item in document["paths"].items():
        for method in item:
            call = MATRIX.get((method.upper(), as_in_matrix(path).replace("{provider}", "<str:provider>")))
            scopes = set() if call is None else set(scopes_of(call))
            is_staffs = scopes and not scopes & (ROLES_OF_USERS["user"] | {PUBLIC, AUTHENTICATED})
            shared["admin" if is_staffs else "user"].append(f"{method.upper()} {path}")
    return shared


def fuzz_api(
    stack: Stack,
    token: str,
    ids: dict[str, str],
    *,
    report: Path,
    operations: Sequence[str],
    seed: int,
    examples: int,
    longest_s: float,
) -> tuple[Counter[str], list[str], bool]:
    """Run schemathesis in all phases; gives what it counted, what broke, and whether its time was over first."""
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run"),
        f"http://127.0.0.1:{stack.port}/api/schema",
        *("--header", f"Authorization: {token}"),
        *("--max-examples", str(examples), "--seed", str(seed), "--workers", "1"),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *("--checks", ",".join(CHECKS)),
        *("--continue-on-failure", "--no-shrink", "--no-color"),
        *("--request-timeout", "30", "--generation-database", "none", "--warnings", "off"),
        *("--suppress-health-check", "all"),
        *("--report-ndjson-path", str(report)),
        *(word for path in LEFT_OUT for word in ("--exclude-path", path)),
        *(word for name in operations for word in ("--include-name", name)),
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.proof.fuzz_hooks",
        "FUZZ_IDS": json.dumps(ids),
        "PYTHONPATH": str(ROOT),
    }
    try:
        ended = subprocess.run(
            command,
            cwd=stack.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=longest_s,
        )
        printed, was_cut = ended.stdout, ended.returncode not in (0, 1)
        if was_cut:
            print(ended.stdout[-1500:], ended.stderr[-1500:])
    except subprocess.TimeoutExpired:
        printed, was_cut = "", True
    told, broken = read_report(report)
    if "failures" in printed.lower() or "FAILURES" in printed:
        print(printed[-6000:])
    return told, broken, was_cut


def read_report(file: Path) -> tuple[Counter[str], list[str]]:
    """Count cases and failed checks in the events that schemathesis wrote."""
    told: Counter[str] = Counter({"5xx": 0, "checks failed": 0})
    broken: list[str] = []
    operations: set[str] = set()
    fuzzed: Counter[str] = Counter()
    if not file.exists():
        return told, ["schemathesis wrote no report"]
    for line in file.read_text().splitlines():
        for name, event in json.loads(line).items():
            told["errors of the fuzzer itself"] += name in ("NonFatalError", "FatalError")
            if name != "ScenarioFinished":
                continue
            recorder = event["recorder"]
            operations.add(str(recorder.get("label")))
            told["cases"] += len(recorder.get("cases", {}))
            if event.get("phase") == "fuzzing":
                fuzzed[str(recorder.get("label"))] += len(recorder.get("cases", {}))
            for response in recorder.get("interactions", {}).values():
                status = str((response.get("response") or {}).get("status_code", ""))
                told["answers"] += 1
                told["401"] += status == "401"
                if status.startswith("5"):
                    told["5xx"] += 1
                    broken.append(_described(response))
            for checks in recorder.get("checks", {}).values():
                told["checks"] += len(checks)
                for check in checks:
                    if check.get("status") != "failure":
                        continue
                    told["checks failed"] += 1
                    title = (
                        (check.get("failure_info") or {}).get("failure", {}).get("title", check.get("name"))
                    )
                    broken.append(f"{recorder.get('label')}: {title}")
    told["operations"] = len(operations)
    told[f"operations with {EXAMPLES} examples"] = sum(count >= EXAMPLES for count in fuzzed.values())
    told["operations with all examples that they have"] = sum(count < EXAMPLES for count in fuzzed.values())
    return told, sorted(set(broken))


def _described(interaction: dict[str, Any]) -> str:
    """Write a request and its answer, so that it can be made again."""
    request, answer = interaction["request"], interaction.get("response") or {}
    sent, told = (
        base64.b64decode((content or {}).get("$base64", ""))
        for content in (request.get("body"), answer.get("content"))
    )
    return f"{answer.get('status_code')}: {request['method']} {request['uri']} {sent[:200]!r} {told[:300]!r}"

"""The README's quick start, word for word, against what `make run` starts."""

import json
import re
import subprocess
import time
from pathlib import Path

import requests

from tests.journeys.running_stack import ROOT, Stack, running_stack

BETWEEN_THE_MARKS = re.compile(r"<!-- quick start: begin -->(.*?)<!-- quick start: end -->", re.DOTALL)
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def quick_start() -> str:
    marked = BETWEEN_THE_MARKS.findall((ROOT / "README.md").read_text())
    assert len(marked) == 1
    return "\n".join(SHELL_BLOCK.findall(marked[0]))


def events_told_to(email: str, stack: Stack) -> list[str]:
    """Listen on the API's port until somebody's transfer is told of, or for half a minute; give the lines."""
    login = {"email": email, "password": stack.password}
    access = requests.post(f"{stack.url}/api/v1/auth/token", json=login, timeout=10).json()["access"]
    headers = {"Authorization": f"Bearer {access}", "Last-Event-ID": "0"}
    lines = []
    until_s = time.monotonic() + 30
    with requests.get(
        f"{stack.url}/api/v1/events/stream", headers=headers, stream=True, timeout=20
    ) as stream:
        for line in stream.iter_lines(chunk_size=1):
            lines.append(line.decode())
            if lines[-1] == "event: transfer.completed" or time.monotonic() > until_s:
                break
    return lines


def test_when_the_quick_start_is_pasted_then_it_ends_with_a_funded_wallet_and_a_transfer(
    tmp_path: Path,
) -> None:
    require_quick_start(tmp_path)


def require_quick_start(folder: Path, **variables: str) -> None:
    """Start everything with these variables, paste the quick start, and assert what it ends with."""
    script = quick_start()

    with running_stack(folder, **variables) as stack:
        shell = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "API": f"{stack.url}/api/v1", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
        )

        told = events_told_to("support@example.com", stack)

    assert shell.returncode == 0, shell.stderr + shell.stdout
    funding, said_after = json.JSONDecoder().raw_decode(shell.stdout)
    balance, history = shell.stdout[said_after:].strip().split("\n", 1)
    lines = json.loads(history)["results"]
    assert (funding["status"], funding["new_balance"]) == ("succeeded", 5000)
    assert balance == "3750"
    assert [(line["type"], line["amount"], line["balance_after"]) for line in lines] == [
        ("transfer_out", -1250, 3750),
        ("funding", 5000, 5000),
    ]
    # Held open by the process of its own: the API itself would have told to come back later.
    assert told[0] == "retry: 3000"
    assert "event: wallet.created" in told
    assert told[-1] == "event: transfer.completed"

"""The README's quick start, word for word, against what `make run` starts."""

import json
import re
import subprocess
from pathlib import Path

from tests.journeys.running_stack import ROOT, running_stack

BETWEEN_THE_MARKS = re.compile(r"<!-- quick start: begin -->(.*?)<!-- quick start: end -->", re.DOTALL)
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def quick_start() -> str:
    marked = BETWEEN_THE_MARKS.findall((ROOT / "README.md").read_text())
    assert len(marked) == 1
    return "\n".join(SHELL_BLOCK.findall(marked[0]))


def test_when_the_quick_start_is_pasted_then_it_ends_with_a_funded_wallet_and_a_transfer(
    tmp_path: Path,
) -> None:
    script = quick_start()

    with running_stack(tmp_path) as stack:
        shell = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "API": f"{stack.url}/api/v1", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
        )

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

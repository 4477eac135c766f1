"""What the part `hostile_urls` watches with: it has to see a connection, and to let a name lead elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.proof.hostile_urls import WATCHED, trapped

TRIES = """
import asyncio, contextlib, json, socket, sys
found = [sorted({one[4][0] for one in socket.getaddrinfo("rebinding.test", 443)}) for _ in range(3)]
for host, port in (("93.184.216.34", 443), ("127.0.0.1", int(sys.argv[1]))):
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection((host, port)).close()
print(json.dumps(found))
"""


def test_when_a_watched_process_connects_then_it_is_noted_and_nothing_leaves_this_machine(
    tmp_path: Path,
) -> None:
    names = {"rebinding.test": [["93.184.216.34"], ["127.0.0.1", "10.0.0.1"]]}
    (tmp_path / "names.json").write_text(json.dumps(names))

    with trapped() as trap:
        said = subprocess.run(
            [sys.executable, "-c", TRIES, str(trap.port)],
            env={**os.environ, "PYTHONPATH": str(WATCHED), "WATCHED_FOLDER": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        noted = [json.loads(line) for line in (tmp_path / "connections").read_text().splitlines()]
        port = trap.port

    assert json.loads(said.stdout) == [["93.184.216.34"], *[["10.0.0.1", "127.0.0.1"]] * 2]
    assert noted == [["93.184.216.34", 443], ["127.0.0.1", port]]

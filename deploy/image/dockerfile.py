"""Reads a Dockerfile of the plain kind: the stages and instructions that ours is made of, and no others."""

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Stage:
    """One `FROM` and what follows it, in order: the instruction's name and its words as written."""

    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def read_stages(path: Path) -> list[Stage]:
    """Read the stages of a Dockerfile.

    Refuses with ValueError what comes before the first stage, but for ARG.
    """
    stages: list[Stage] = []
    for line in _whole_lines(path.read_text()):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            words = rest.split()
            stages.append(Stage(name=words[2] if len(words) == 3 else ""))
        elif stages:
            stages[-1].steps.append((instruction, rest.strip()))
        elif instruction != "ARG":
            raise ValueError(f"{instruction} stands before the first FROM.")
    return stages


def read_command(text: str) -> list[str]:
    """Read the exec form of CMD, ENTRYPOINT or SHELL."""
    words: list[str] = json.loads(text)
    return words


def read_variables(text: str) -> dict[str, str]:
    """Read the `NAME=value` pairs of ENV."""
    return dict(pair.split("=", 1) for pair in shlex.split(text))


def _whole_lines(text: str) -> list[str]:
    kept = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return "\n".join(kept).replace("\\\n", "").splitlines()

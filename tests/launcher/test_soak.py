"""`make soak` installs the compiled fuzzer for the part that needs it, and for no other."""

import pytest

from deploy.local import commands
from tests.proof.parts import PARTS


@pytest.mark.parametrize(
    ("arguments", "is_needed"),
    [
        ([], True),
        (["--seed", "7"], True),
        (["--minutes=5", "--keep", "parsers"], True),
        (["parsers"], True),
        (["keys", "parsers", "--size", "0.1"], True),
        (["--seed=7", "parsers"], True),
        (["keys"], False),
        (["keys", "--keep", "parsers"], False),
        (["--minutes", "5", "keys"], False),
    ],
)
def test_when_parts_are_named_then_the_fuzzer_is_installed_for_its_own_alone(
    arguments: list[str], is_needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(commands, "_install_fuzzer", lambda: done.append("installed"))
    monkeypatch.setattr(commands, "_with_own_services", lambda *words: done.append(" ".join(words)) or 0)

    code = commands.soak(arguments)

    assert code == 0
    assert done == [*["installed"] * is_needed, " ".join(["tests.proof", *arguments])]


def test_when_the_part_is_renamed_then_the_launcher_follows() -> None:
    assert commands.FUZZED in PARTS

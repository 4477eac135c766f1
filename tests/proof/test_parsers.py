"""The part `parsers` without its fuzzer: the targets hold on their seeds and some changes of these, and see what breaks."""

import base64
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.test import override_settings

from payments.schemes import apple_pay, google_pay
from payments.senders import basis_theory, sandbox, stripe
from tests.proof import parsers
from tests.proof.guided import Notes, counted, noted, tried
from tests.proof.parsers import Ran, ended_early, fuzz, fuzzer_packages, read_output
from tests.proof.parts import Bounds
from tests.proof.report import Taken
from tests.proof.targets import cms, google, webhooks
from tests.proof.targets.contract import OUTCOMES, REFUSED, Believed, Target

CHANGED = 400
DONE = """INFO: seed corpus: files: 23
#23\tINITED cov: 80 ft: 120 corp: 20/9Kb exec/s: 0 rss: 128Mb
#25161\tDONE   cov: 85 ft: 174 corp: 36/6784b lim: 1164 exec/s: 2795 rss: 129Mb
Done 25161 runs in 9 second(s)
stat::number_of_executed_units: 25161
stat::average_exec_per_sec:     2795
stat::peak_rss_mb:              129
"""
CUT = "#512\tNEW    cov: 70 ft: 99 corp: 12/1Kb lim: 4 exec/s: 0 rss: 99Mb L: 2/2 MS: 1 CopyPart-\n"
# What the compiled fuzzer does to `guided.py`, without being guided; its first run ends in a crash of compiled code.
STAND_IN = """
import contextlib, os
from pathlib import Path

given = []

def instrument_imports(include):
    return contextlib.nullcontext()

def instrument_func(function):
    return function

def Setup(command, one_input):
    given.extend((command, one_input))

def Fuzz():
    command, one_input = given
    corpus = Path(command[-1])
    if not (corpus.parent / "ran").exists():
        (corpus.parent / "ran").touch()
        (corpus.parent / "crash-1").write_bytes(b"input")
        print("==7== ERROR: libFuzzer: deadly signal", flush=True)
        os._exit(77)
    files = sorted(corpus.iterdir())
    for file in files:
        one_input(file.read_bytes())
    print(f"#{len(files)} DONE   cov: 8 ft: 9 corp: {len(files)}/1Kb exec/s: 0 rss: 9Mb")
    print(f"stat::number_of_executed_units: {len(files)}", flush=True)
    os._exit(0)
"""


@pytest.fixture(params=[cms, google, webhooks], ids=lambda module: module.__name__.rpartition(".")[2])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    module: ModuleType = request.param
    with override_settings(**module.configuration(tmp_path)):
        yield module.target()


def changed(data: bytes, dice: random.Random) -> bytes:
    """Replace, insert, remove or double some bytes behind the first, which chooses the way."""
    result = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(1, max(1, len(result) - 1))
        how = dice.randrange(4)
        if how == 0:
            result[at : at + 1] = bytes([dice.randrange(256)])
        elif how == 1:
            result[at:at] = bytes([dice.randrange(256)])
        elif how == 2:
            del result[at : at + dice.randint(1, 8)]
        else:
            result[at:at] = result[at : at + dice.randint(1, 30)]
    return bytes(result)


def test_when_seeds_are_fed_then_each_becomes_what_it_is_known_to(target: Target) -> None:
    became = {name: target.feed(seed.data) for name, seed in target.seeds.items()}

    assert became == {name: seed.becomes for name, seed in target.seeds.items()}
    assert {list(target.ways)[seed.data[0]] for seed in target.seeds.values()} == set(target.ways)


def test_when_seeds_are_changed_then_they_are_read_or_refused_and_nothing_else(target: Target) -> None:
    dice = random.Random(8)
    seeds = [seed.data for seed in target.seeds.values()]

    became = Counter(target.feed(changed(dice.choice(seeds), dice)) for _ in range(CHANGED))

    assert sum(became[outcome] for outcome in OUTCOMES) == CHANGED
    assert became[REFUSED] > CHANGED / 2


def test_when_apples_signature_is_not_checked_then_the_target_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with override_settings(**cms.configuration(tmp_path)):
        target = cms.target()
        spoiled = target.seeds["its transactionId"].data[:-1] + b"0"
        before = target.feed(spoiled)
        monkeypatch.setattr(apple_pay, "verify_signature", lambda token, **_: None)

        with pytest.raises(Believed):
            target.feed(spoiled)

    assert before == "refused"


def test_when_googles_signatures_are_not_checked_then_the_target_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with override_settings(**google.configuration(tmp_path)):
        target = google.target()
        spoiled = target.seeds["its signedKey"].data + b" "
        before = target.feed(spoiled)
        monkeypatch.setattr(google_pay, "verify_signatures", lambda envelope, **_: None)

        with pytest.raises(Believed):
            target.feed(spoiled)

    assert before == "refused"


@pytest.mark.parametrize(
    ("module", "check", "name"),
    [
        (stripe, "require_signed", "stripe"),
        (sandbox, "require_signed", "sandbox"),
        (basis_theory, "_require_signed", "basis_theory"),
    ],
)
def test_when_a_senders_signature_is_not_checked_then_the_target_sees_it(
    module: ModuleType, check: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with override_settings(**webhooks.configuration(tmp_path)):
        target = webhooks.target()
        spoiled = target.seeds[f"{name} 0, another body"].data
        before = target.feed(spoiled)
        monkeypatch.setattr(module, check, lambda *_, **__: None)

        with pytest.raises(Believed):
            target.feed(spoiled)

    assert before == "refused"


def test_when_a_parser_breaks_then_its_first_input_is_noted_and_all_others_go_on(tmp_path: Path) -> None:
    def feed(data: bytes) -> str:
        if data.startswith(b"!"):
            raise KeyError("x")
        return "read"

    one_input = tried(feed, Notes(tmp_path))

    for data in (b"!1", b"fine", b"!2"):
        one_input(data)

    assert counted(tmp_path) == {"read": 1, "refused": 0}
    assert [(one["says"], one["input"]) for one in noted(tmp_path)] == [
        ("'x'", base64.b64encode(b"!1").decode())
    ]
    assert noted(tmp_path)[0]["place"].startswith("KeyError in test_parsers.py, line ")


@pytest.mark.parametrize(
    ("printed", "ran"),
    [
        (DONE, Ran(executions=25161, edges=85, features=174, units=36, memory_mb=129, is_whole=True)),
        (CUT, Ran(executions=512, edges=70, features=99, units=12, memory_mb=0, is_whole=False)),
        ("", Ran(executions=0, edges=0, features=0, units=0, memory_mb=0, is_whole=False)),
    ],
    ids=["done", "cut", "nothing"],
)
def test_when_the_fuzzer_has_spoken_then_only_what_it_counted_is_told(printed: str, ran: Ran) -> None:
    assert read_output(printed) == ran


def test_when_the_process_was_ended_then_the_reason_and_the_input_are_found(tmp_path: Path) -> None:
    (tmp_path / "timeout-0a").write_bytes(b"slow")

    said, inputs = ended_early(tmp_path, 70, f"{CUT}==99== ERROR: libFuzzer: timeout after 20 seconds\n")

    assert (
        said == "ended with exit code 70: ERROR: libFuzzer: timeout after 20 seconds, by timeout-0a: c2xvdw=="
    )
    assert inputs == ["timeout-0a: c2xvdw=="]
    assert list(tmp_path.iterdir()) == []


def test_when_a_target_crashes_then_it_is_a_finding_and_the_rest_of_its_time_is_used(tmp_path: Path) -> None:
    (tmp_path / "atheris.py").write_text(STAND_IN)
    folder = tmp_path / "webhooks"
    folder.mkdir()
    with override_settings(**webhooks.configuration(tmp_path)):
        seeds = webhooks.target().seeds.values()
    path = os.pathsep.join((str(parsers.ROOT), str(tmp_path)))

    outcome = fuzz("webhooks", folder, seed=7, seconds=600, environment={**os.environ, "PYTHONPATH": path})

    assert outcome.found == (
        "ended with exit code 77: ERROR: libFuzzer: deadly signal, by crash-1: aW5wdXQ=",
    )
    assert outcome.figures == {
        "executions": len(seeds),
        "read": sum(seed.becomes == "read" for seed in seeds),
        "refused": sum(seed.becomes == "refused" for seed in seeds),
        "edges": 8,
        "features": 9,
        "inputs kept": len(seeds),
        "memory MB": 0,
        "crashes": 1,
    }


def test_when_there_is_no_fuzzer_then_the_part_says_that_it_did_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = fuzzer_packages(tmp_path / "nothing")
    monkeypatch.setattr(parsers, "fuzzer_packages", lambda: None)

    found = parsers.run(None, 7, Bounds())  # type: ignore[arg-type]  # it is not looked at

    assert missing is None
    assert (found.tried, found.is_complete, list(found.figures)) == (0, False, ["not run"])
    assert Taken(found, took_s=1.0, minutes=31.0, size=1.0).outcome == "not run"

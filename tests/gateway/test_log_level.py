"""`LOG_LEVEL` is the least that is written, whoever writes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEAK = (
    "import logging, django, structlog; django.setup();"
    " [speak(word) for logger in (logging.getLogger('a.library'), structlog.get_logger())"
    " for word, speak in (('said', logger.info), ('warned', logger.warning), ('failed', logger.error))]"
)


@pytest.mark.parametrize(
    ("level", "written"),
    [("INFO", ["said", "warned", "failed"]), ("ERROR", ["failed"])],
)
def test_given_a_level_then_what_is_less_severe_isn_t_written(
    database_environment: dict[str, str], level: str, written: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SPEAK],
        cwd=ROOT,
        env={**database_environment, "LOG_LEVEL": level},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == written * 2
    assert {line["level"] for line in lines} == {
        {"said": "info", "warned": "warning", "failed": "error"}[w] for w in written
    }

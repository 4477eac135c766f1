"""The SQL that `make bench` compares with is the SQL that a transfer sends."""

from typing import Any

import psycopg
import pytest
from django.conf import settings

from tests.benchmarks.seeds import seed
from tests.benchmarks.transfer_steps import SCRIPT, record_transfer


@pytest.fixture
def two_customers(committed: None) -> int:
    """An even customer with a wallet in each currency, and the next one."""
    owner: dict[str, Any] = settings.DATABASES["owner"]
    with psycopg.connect(
        host=owner["HOST"],
        port=owner["PORT"],
        user=owner["USER"],
        password=owner["PASSWORD"],
        dbname=owner["NAME"],
    ) as connection:
        seed(connection, first=4_000_000, last=4_000_001)
    return 4_000_000


def test_when_a_transfer_is_overheard_then_its_sql_is_that_of_the_pgbench_script(two_customers: int) -> None:
    recorded = record_transfer(customer=two_customers)

    assert recorded.script == SCRIPT.read_text()
    assert recorded.round_trips == 4

"""What tests leave as they found it."""

from collections.abc import Iterator

import pytest
from django.db import connections

from events import clock


@pytest.fixture
def unmoved_clock(committed: None) -> Iterator[None]:
    """The clocks of wallets that ran ahead are forgotten: nobody else's sweeps shall look at them."""
    yield
    with connections["owner"].cursor() as cursor:
        cursor.execute("DELETE FROM events_clocklead")
    clock._leads = clock._UNMOVED

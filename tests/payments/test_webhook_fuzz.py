"""Whatever strangers send as a provider's signature: nothing crashes, and none that is made up is believed."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.refusals import SignatureInvalid
from payments.senders.timed_signatures import require_signed, sign
from tests.payments.webhook_senders import STRIPE_SECRET

ROUNDS = 100
SETTINGS = settings(
    max_examples=ROUNDS,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NOON = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)
RAW = b'{"id": "evt_1"}'
GOOD = sign(raw=RAW, secret=STRIPE_SECRET, at=NOON)
HEADERS = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.tuples(st.sampled_from(["t", "v1", "v0", "", " t"]), st.text(max_size=80)).map("=".join),
        max_size=8,
    ).map(",".join),
    st.tuples(st.integers(0, len(GOOD) - 1), st.characters()).map(
        lambda at: GOOD[: at[0]] + at[1] + GOOD[at[0] + 1 :]
    ),
)


@SETTINGS
@given(HEADERS)
def test_when_a_signature_is_made_up_then_it_is_never_believed(header: str) -> None:
    if header == GOOD:
        return

    with pytest.raises(SignatureInvalid):
        require_signed(header, raw=RAW + b" ", secrets=(STRIPE_SECRET,), at=NOON)

"""Staff who do the same at the same moment: a code opens one door."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection
from django.utils import timezone

from tests.factories.people import someone
from tests.factories.staff import code_of, enrol
from users.second_factors import takes_code


def test_when_ten_send_the_same_code_at_once_then_one_is_in(committed: None) -> None:
    person = someone("support")
    secret, _ = enrol(person)
    barrier = Barrier(10)
    now = timezone.now()

    def send(_: int) -> bool:
        barrier.wait()
        try:
            return takes_code(user=person, code=code_of(secret, at=now), now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(send, range(10))) == [False] * 9 + [True]

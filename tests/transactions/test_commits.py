"""What a COMMIT that fails is told as: the database's own error, whatever it is."""

from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction


def fetched(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone() if cursor.description else None


def commit(work: Any) -> None:
    with transaction.atomic():
        work()


def lose_the_server() -> None:
    # A role may end its own sessions; the owner's role may not end those of others.
    own = settings.DATABASES["default"]
    (pid,) = fetched("SELECT pg_backend_pid()")
    with psycopg.connect(
        dbname=own["NAME"],
        user=own["USER"],
        password=own["PASSWORD"],
        host=own["HOST"],
        port=own["PORT"],
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_when_a_deferred_constraint_says_no_then_it_is_an_integrity_error_with_its_code(committed):
    fetched("CREATE TEMPORARY TABLE one (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")

    with pytest.raises(IntegrityError, match="duplicate key") as refused:
        commit(lambda: fetched("INSERT INTO one VALUES (1), (1)"))

    assert refused.value.__cause__.sqlstate == "23505"
    assert fetched("SELECT count(*) FROM one") == (0,)


def test_when_the_server_is_gone_at_commit_then_it_is_an_operational_error(committed):
    with pytest.raises(OperationalError):
        commit(lose_the_server)

    connection.close()
    assert fetched("SELECT 1") == (1,)

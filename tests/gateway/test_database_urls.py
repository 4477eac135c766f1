"""What a database URL says reaches libpq, and what happens where it leads to a server that takes no writes."""

import psycopg
import pytest
from django.db import InternalError, connection, connections
from django.test import RequestFactory

from config.gateway.errors import answer_for
from config.settings.base import database

TWO = "postgres://app:secret@first:5432,second:6432/wallet"


def test_when_a_url_names_two_hosts_then_both_are_tried_with_its_options() -> None:
    settings = database(f"{TWO}?target_session_attrs=read-write&sslmode=verify-full")

    assert (settings["HOST"], settings["PORT"]) == ("first,second", "5432,6432")
    assert settings["OPTIONS"]["target_session_attrs"] == "read-write"
    assert settings["OPTIONS"]["sslmode"] == "verify-full"


def test_when_a_url_has_options_of_its_own_then_they_count_and_ours_stay() -> None:
    options = database(f"{TWO}?connect_timeout=9&options=-c%20work_mem%3D64MB")["OPTIONS"]

    assert options["connect_timeout"] == 9
    assert options["options"].endswith(" -c plan_cache_mode=force_generic_plan -c work_mem=64MB")
    assert "statement_timeout=30000" in options["options"]
    assert options["tcp_user_timeout"] == 15_000


@pytest.mark.django_db
def test_when_the_server_takes_no_writes_then_the_same_key_is_to_be_sent_again(rf: RequestFactory) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        with pytest.raises(InternalError) as refused:
            cursor.execute("UPDATE transactions_ledgeraccount SET version = version")

    answer = answer_for(rf.post("/api/v1/wallet"), refused.value)

    assert isinstance(refused.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)
    assert answer is not None
    assert answer.status_code == 503


@pytest.mark.django_db
def test_when_the_server_is_a_standby_then_its_connection_isnt_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    primary = connections["default"]
    primary.ensure_connection()
    assert primary.is_usable() is True

    class Demoted:
        """The connection as it would be after a change of roles."""

        closed = False
        pgconn = type("Server", (), {"parameter_status": staticmethod(lambda name: b"on")})

    monkeypatch.setattr(primary, "connection", Demoted())

    assert primary.is_usable() is False

"""Refresh tokens: each works once, and a second use ends its session."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import jwt
import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from users.models import RefreshFamily, SpentRefreshToken, User
from users.refusals import InvalidToken
from users.roles import ROLES
from users.sessions import close_session, continue_session, forget_ended_sessions, open_session
from users.standing import deactivate, reactivate, revoke_sessions

NINE = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
ROUNDS = 100
USES_AT_ONCE = 8


@pytest.mark.django_db
def test_when_a_token_is_exchanged_then_the_new_pair_has_the_role_of_now(post: Any, new_user: Any) -> None:
    user = new_user()
    refresh = open_session(bearer=user).refresh
    User.objects.filter(id=user.id).update(role="support")

    answer = post("/auth/token/refresh", {"refresh": refresh})

    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 900)
    claims = jwt.decode(answer.json()["access"], options={"verify_signature": False})
    assert (claims["sub"], claims["role"]) == (str(user.id), "support")
    assert claims["permissions"] == sorted(ROLES["support"])
    assert answer.json()["refresh"] != refresh


@pytest.mark.django_db
def test_when_a_spent_token_is_used_again_then_its_whole_session_ends(post: Any, new_user: Any) -> None:
    first = open_session(bearer=new_user()).refresh
    second = post("/auth/token/refresh", {"refresh": first}).json()["refresh"]

    reused = post("/auth/token/refresh", {"refresh": first})
    successor = post("/auth/token/refresh", {"refresh": second})

    assert (reused.status_code, reused.json()["code"]) == (401, "invalid_token")
    assert reused["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert (successor.status_code, successor.json()["code"]) == (401, "invalid_token")
    assert RefreshFamily.objects.get().revocation == "reuse"
    assert SpentRefreshToken.objects.count() == 1


@pytest.mark.django_db
def test_when_one_session_ends_then_others_of_the_same_person_go_on(new_user: Any) -> None:
    user = new_user()
    here, there = open_session(bearer=user).refresh, open_session(bearer=user).refresh
    close_session(refresh=here)

    pair = continue_session(refresh=there)

    assert pair.expires_in_s == 900
    with pytest.raises(InvalidToken):
        continue_session(refresh=here)


def test_when_eight_use_one_token_at_once_then_one_wins_each_time(
    committed: None, new_user: Callable[..., User]
) -> None:
    user = new_user()
    barrier = Barrier(USES_AT_ONCE)
    refreshes = [open_session(bearer=user).refresh for _ in range(ROUNDS)]

    def use_each(_: int) -> list[str]:
        outcomes = []
        for refresh in refreshes:
            barrier.wait()
            try:
                outcomes.append(continue_session(refresh=refresh).refresh)
            except InvalidToken:
                outcomes.append("")
        connection.close()
        return outcomes

    with ThreadPoolExecutor(USES_AT_ONCE) as pool:
        outcomes = list(pool.map(use_each, range(USES_AT_ONCE)))

    winners = [[pair for pair in attempts if pair] for attempts in zip(*outcomes, strict=True)]
    assert [len(won) for won in winners] == [1] * ROUNDS
    families = RefreshFamily.objects.filter(user=user)
    assert list(families.values_list("revocation", flat=True)) == ["reuse"] * ROUNDS
    with pytest.raises(InvalidToken):
        continue_session(refresh=winners[0][0])


@pytest.mark.django_db
def test_when_logged_out_then_the_refresh_token_is_dead_and_logging_out_again_is_well(
    post: Any, new_user: Any
) -> None:
    refresh = open_session(bearer=new_user()).refresh

    answer = post("/auth/logout", {"refresh": refresh})
    again = post("/auth/logout", {"refresh": refresh})

    assert (answer.status_code, answer.json()) == (200, {})
    assert (again.status_code, again.json()) == (200, {})
    assert post("/auth/token/refresh", {"refresh": refresh}).json()["code"] == "invalid_token"
    assert RefreshFamily.objects.get().revocation == "logout"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/auth/token/refresh", "/auth/logout"])
def test_when_the_refresh_token_is_none_then_it_is_refused(post: Any, new_user: Any, path: str) -> None:
    pair = open_session(bearer=new_user())

    answers = [
        post(path, {"refresh": text}) for text in ("nonsense", "a.b.c", pair.access, pair.refresh[:-3])
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(401, "invalid_token")] * 4
    assert RefreshFamily.objects.get().revoked_at is None


@pytest.mark.django_db
def test_when_the_refresh_token_is_too_old_then_it_has_expired(post: Any, new_user: Any) -> None:
    with time_machine.travel(NINE, tick=False):
        refresh = open_session(bearer=new_user()).refresh

    with time_machine.travel(NINE + timedelta(days=14), tick=False):
        answer = post("/auth/token/refresh", {"refresh": refresh})

    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


@pytest.mark.django_db
def test_when_a_person_is_switched_off_then_no_session_comes_back(new_user: Any) -> None:
    user = new_user()
    refresh = open_session(bearer=user).refresh
    deactivate(user_id=user.id, actor="admin:tester", reason="asked for")

    with pytest.raises(InvalidToken):
        continue_session(refresh=refresh)
    reactivate(user_id=user.id, actor="admin:tester", reason="asked for")

    with pytest.raises(InvalidToken):
        continue_session(refresh=refresh)
    assert continue_session(refresh=open_session(bearer=user).refresh).expires_in_s == 900


@pytest.mark.django_db
def test_when_sessions_are_revoked_then_the_old_ones_end_and_new_ones_begin(new_user: Any) -> None:
    user = new_user()
    old = open_session(bearer=user).refresh
    revoke_sessions(user_id=user.id, actor="admin:tester", reason="asked for")
    new = open_session(bearer=user).refresh

    with pytest.raises(InvalidToken):
        continue_session(refresh=old)

    assert continue_session(refresh=new).expires_in_s == 900


@pytest.mark.django_db
def test_when_sessions_ran_out_over_a_day_ago_then_they_are_forgotten(new_user: Any) -> None:
    user = new_user()
    with time_machine.travel(NINE, tick=False):
        continue_session(refresh=open_session(bearer=user).refresh)
    recent = open_session(bearer=user)

    forgotten = forget_ended_sessions(now=timezone.now())

    assert forgotten == 1
    assert not SpentRefreshToken.objects.exists()
    assert RefreshFamily.objects.count() == 1
    assert continue_session(refresh=recent.refresh).expires_in_s == 900

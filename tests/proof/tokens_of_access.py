"""Part 6: forged and stale tokens, keys that rotate under load, and refresh tokens that eight spend at once."""

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path

from django.conf import settings

from deploy.local import application
from deploy.local.ports import free_port
from tests.events.receivers import receiver
from tests.factories.money import balance_of, new_wallet
from tests.factories.people import CustomerFactory
from tests.proof.calls import Answer, HttpApi
from tests.proof.forgeries import Forger
from tests.proof.parts import Bounds, PartReport
from tests.proof.stack import Stack
from users import key_rotation
from users.credentials import SigningKeys, key_ring
from users.sessions import open_session

REFRESHES, RACERS = 100, 8
CUSTOMERS_UNDER_LOAD = 6
# So short that a ring's old key can leave within the run: what it signed must have run out before.
ACCESS_LIFETIME_S, REFRESH_LIFETIME_S = 8, 16
RENEWED_AFTER_S = 5.0
PASSWORD = "correct horse battery staple"
LONGEST_RESTART_S = 60.0


@dataclass
class Tally:
    """What is counted, and what broke."""

    figures: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str, by: int = 1) -> None:
        """Count, from any thread."""
        with self.guard:
            self.figures[name] += by


Ask = Callable[[str, str, str, object], Answer]
"""Makes one call with this token: token, method, path, body."""


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Forge, then spend, then rotate; the rotation needs half a minute whatever the size."""
    tally, rng = Tally(), random.Random(seed)
    api = HttpApi(stack.port)

    def ask(token: str, method: str, path: str, body: object) -> Answer:
        return api.call(method, path, body, Authorization=f"Bearer {token}")

    try_forgeries(ask, tally)
    spend_together(lambda: HttpApi(stack.port), tally, count=bounds.of(REFRESHES))
    rotate_under_load(stack, tally, rng)
    is_complete = (
        tally.figures["forged or stale tokens"] >= 60
        and tally.figures["refresh tokens spent by eight"] >= REFRESHES
    )
    return PartReport(
        "tokens_of_access",
        seed,
        dict(tally.figures),
        holds=not tally.found,
        tried=tally.figures["calls with them"],
        is_complete=is_complete,
        found=tuple(tally.found),
    )


def try_forgeries(ask: Ask, tally: Tally) -> None:
    """Read and spend with each forged token; the genuine one, made by the same hand, is the control."""
    victim, thief = CustomerFactory.create(), CustomerFactory.create()
    wallet, into = new_wallet(1_000, owner=victim), new_wallet(owner=thief)
    body = {"from_wallet_id": str(wallet), "to_wallet_id": str(into), "amount": 1, "currency": "USD"}
    with receiver() as elsewhere:
        forger = Forger(
            ring=dict(key_ring(settings.JWT_SIGNING_KEYS).keys),
            victim=victim.id,
            public_url=settings.PUBLIC_URL,
            elsewhere=elsewhere.url.rstrip("/"),
        )
        control = ask(forger.token(), "GET", f"/wallet/{wallet}", None)
        if control.status_code != HTTPStatus.OK:
            tally.found.append(f"the genuine token is answered {control.effect}: nothing was proved")
        for name, token in forger.forged().items():
            calls = (
                ("GET", "/auth/me", None),
                ("GET", f"/wallet/{wallet}", None),
                ("POST", "/wallet/transfer", body),
            )
            statuses = [ask(token, method, path, given).status_code for method, path, given in calls]
            tally.count("forged or stale tokens")
            tally.count("calls with them", len(statuses))
            accepted = sum(status != HTTPStatus.UNAUTHORIZED for status in statuses)
            tally.count("of those not refused with 401", accepted)
            if accepted:
                tally.found.append(f"{name}: answered {statuses}")
        tally.count("keys fetched from where a token said", elsewhere.connections)
        if elsewhere.connections:
            tally.found.append("a URL in a token's header was asked for keys")
    if balance_of(wallet) != 1_000:
        tally.found.append(f"a forged token moved money: {balance_of(wallet)} of 1,000 are left")


def spend_together(connect: Callable[[], HttpApi], tally: Tally, *, count: int) -> None:
    """Let eight spend each refresh token at once: one wins, and the session is over for all."""
    refreshes = [open_session(bearer=CustomerFactory.create()).refresh for _ in range(count)]
    barrier, apis = threading.Barrier(RACERS), [connect() for _ in range(RACERS)]

    def race(api: HttpApi) -> list[Answer]:
        answers = []
        for refresh in refreshes:
            barrier.wait(60)
            answers.append(api.call("POST", "/auth/token/refresh", {"refresh": refresh}))
        return answers

    with ThreadPoolExecutor(RACERS) as racers:
        taken = list(racers.map(race, apis))
    for number in range(count):
        statuses = Counter(answers[number].status_code for answers in taken)
        won = [answers[number] for answers in taken if answers[number].status_code == HTTPStatus.OK]
        tally.count("refresh tokens spent by eight")
        tally.count("winners", len(won))
        if statuses != {HTTPStatus.OK: 1, HTTPStatus.UNAUTHORIZED: RACERS - 1}:
            tally.found.append(f"refresh token {number} was answered {dict(statuses)}")
            continue
        after = apis[0].call("POST", "/auth/token/refresh", {"refresh": won[0].json()["refresh"]})
        tally.count("sessions that outlived their reuse", after.status_code == HTTPStatus.OK)
        if after.status_code != HTTPStatus.UNAUTHORIZED:
            tally.found.append(f"the session of refresh token {number} goes on after its reuse")


def rotate_under_load(stack: Stack, tally: Tally, rng: random.Random) -> None:
    """Take a key through its life (added, promoted, the old one retired) on two servers that restart in turn."""
    names = ["web", _second_server(stack)]
    ring = settings.JWT_SIGNING_KEYS
    shortened = {
        "ACCESS_TOKEN_LIFETIME_S": str(ACCESS_LIFETIME_S),
        "REFRESH_TOKEN_LIFETIME_S": str(REFRESH_LIFETIME_S),
    }
    _restart_in_turn(stack, names, ring, **shortened)
    retiring = Forger(dict(key_ring(ring).keys), CustomerFactory.create().id, settings.PUBLIC_URL, "")
    steps: list[Callable[[SigningKeys], SigningKeys]] = [
        lambda keys: key_rotation.add(keys, kid=f"next-{rng.randrange(10**6)}"),
        key_rotation.promote,
        key_rotation.retire,
    ]
    tally.count("valid tokens refused", 0)
    with _customers([stack.port, _port_of(stack, names[1])], tally):
        for place, step in enumerate(steps):
            ring = step(ring)
            if place == len(steps) - 1:
                # What the old key signed last runs out now, access and refresh tokens alike.
                time.sleep(REFRESH_LIFETIME_S + 1)
            _restart_in_turn(stack, names, ring, **shortened)
            tally.count("steps of a rotation")
            time.sleep(RENEWED_AFTER_S)
    for api in (HttpApi(stack.port), HttpApi(_port_of(stack, names[1]))):
        stale = api.call("GET", "/auth/me", Authorization=f"Bearer {retiring.token()}")
        tally.count("tokens of the revoked key accepted", stale.status_code != HTTPStatus.UNAUTHORIZED)
        if stale.status_code != HTTPStatus.UNAUTHORIZED:
            tally.found.append(f"a token of the key that was retired is answered {stale.effect}")
    if tally.figures["calls with valid tokens during the rotation"] < 100:
        tally.found.append("there was no load during the rotation")


def _second_server(stack: Stack) -> str:
    program = stack.programs["web"]
    environment = {**program.environment, "PORT": str(free_port())}
    second = replace(application.web(python=Path(sys.executable), environment=environment), name="web-2")
    stack.add(second)
    return second.name


def _port_of(stack: Stack, name: str) -> int:
    return int(stack.programs[name].environment["PORT"])


def _restart_in_turn(stack: Stack, names: list[str], ring: SigningKeys, **variables: str) -> None:
    """Restart one server after the other as a deployment does: it ends what it has begun, and another one serves."""
    for name in names:
        program = stack.programs[name]
        environment = {
            **program.environment,
            **variables,
            "JWT_SIGNING_KEYS": key_rotation.written(ring),
        }
        stack.programs = {**stack.programs, name: replace(program, environment=environment)}
        ended = stack.pid_of(name)
        os.kill(ended, signal.SIGTERM)
        until_s = time.monotonic() + LONGEST_RESTART_S
        while stack.pid_of(name) == ended:
            stack.revive()
            if time.monotonic() > until_s:
                raise RuntimeError(f"{name} doesn't end:\n{stack.last_words(name)}")
            time.sleep(0.05)
        stack.wait_until_ready(name)


@contextmanager
def _customers(ports: list[int], tally: Tally) -> Iterator[None]:
    """Let customers call and renew their tokens all the time, each call at whichever server answers."""
    is_over = threading.Event()
    emails = []
    for _ in range(CUSTOMERS_UNDER_LOAD):
        owner = CustomerFactory.create()
        owner.set_password(PASSWORD)
        owner.save()
        emails.append(owner.email)
    with ThreadPoolExecutor(len(emails)) as threads:
        lives = [threads.submit(_live, email, ports, tally, is_over) for email in emails]
        try:
            yield
        finally:
            is_over.set()
    for life in lives:
        life.result()


def _live(email: str, ports: list[int], tally: Tally, is_over: threading.Event) -> None:
    """Log in, call, and renew in time, until told to stop; every refusal of a token that is good is a finding."""
    apis = [HttpApi(port) for port in ports]
    pair: dict[str, str] | None = None
    signed_s, turn = 0.0, 0
    while not is_over.is_set():
        turn += 1
        if pair is None or time.monotonic() - signed_s > RENEWED_AFTER_S:
            what = "logs in" if pair is None else "renews"
            path = "/auth/token" if pair is None else "/auth/token/refresh"
            body = {"email": email, "password": PASSWORD} if pair is None else {"refresh": pair["refresh"]}
            began_s = time.monotonic()
            answer = _answered(apis[turn % 2], "POST", path, body)
            if answer is None:
                # Whether it was spent nobody knows: the customer logs in again.
                tally.count("renewals at a server that was away", pair is not None)
                pair = None
                time.sleep(0.05)
                continue
            if pair is not None and time.monotonic() - signed_s > REFRESH_LIFETIME_S - 1:
                # The machine took so long that the token may rightly have run out on the way.
                pair = None
                continue
            tally.count("log-ins and renewals during the rotation")
            if answer.status_code != HTTPStatus.OK:
                tally.count("valid tokens refused")
                tally.found.append(f"a customer who {what} is answered {answer.effect}")
                pair = None
                continue
            pair, signed_s = answer.json(), began_s
            continue
        answer = _answered(apis[turn % 2], "GET", "/auth/me", None, Authorization=f"Bearer {pair['access']}")
        if answer is None:
            tally.count("calls to a server that was away")
        elif time.monotonic() - signed_s < ACCESS_LIFETIME_S - 1:
            tally.count("calls with valid tokens during the rotation")
            if answer.status_code != HTTPStatus.OK:
                tally.count("valid tokens refused")
                tally.found.append(f"a valid access token is answered {answer.effect}")


def _answered(api: HttpApi, method: str, path: str, body: object, **headers: str) -> Answer | None:
    try:
        return api.call(method, path, body, **headers)
    except (OSError, HTTPException):
        return None

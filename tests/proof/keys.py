"""Part 3: one key, many racers, every money call. Then processes die, caches are emptied, and every key is asked again."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import redis
from django.db import connections
from uuid_utils.compat import uuid7

from tests.proof.calls import HttpApi
from tests.proof.money_calls import MONEY_CALLS, Payer, Sent, left_behind
from tests.proof.parts import Bounds, PartReport
from tests.proof.stack import Stack
from users.models import ServiceClient, User

KEYS, RACERS, LANES = 1000, 8, 2
CHUNK = 20
KILL_AMONG = 60
"""One of so many chunks loses the web server in the middle of its races."""


@dataclass
class Raced:
    """One key: what was sent under it, and the one answer that all racers got."""

    name: str
    key: str
    sent: Sent
    effect: tuple[int, bytes]


@dataclass
class Tally:
    """What is counted over all keys, and what broke."""

    figures: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    raced: list[Raced] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=Counter)


Persist = Callable[[Sent, str], tuple[int, bytes, bool]]
"""Makes a call under a key until it is answered for good: status, bytes, and whether it is told as a replay."""


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Race keys over HTTP, chunk by chunk, the calls in turn, until all are done or time is over."""
    rng = random.Random(seed)

    def connect(who: User | ServiceClient | None) -> HttpApi:
        return HttpApi(stack.port, who)

    payers = [Payer(connect) for _ in range(LANES)]
    tally, wanted = Tally(), bounds.of(KEYS)
    reserve = Bounds(bounds.left_s * 0.8)
    turns = [name for _ in range(0, wanted, CHUNK) for name in MONEY_CALLS]
    for name in turns:
        if reserve.is_over or tally.found:
            break
        is_hit = rng.randrange(KILL_AMONG) == 0
        race_chunk(
            tally,
            name,
            payers,
            size=min(CHUNK, wanted),
            persist=over_http,
            meanwhile=(lambda: stack.kill("web")) if is_hit else None,
        )
        tally.figures["kills of the web server in a race"] += is_hit
    ask_again_after_loss(stack, tally, bounds)
    figures = {
        "racers of a key": RACERS,
        **{f"keys of {name}": tally.kept[name] for name in MONEY_CALLS},
        **tally.figures,
    }
    is_complete = all(tally.kept[name] >= wanted for name in MONEY_CALLS)
    return PartReport(
        "keys",
        seed,
        dict(figures),
        holds=not tally.found,
        tried=sum(tally.kept.values()),
        is_complete=is_complete,
        found=tuple(tally.found),
    )


def over_http(sent: Sent, key: str) -> tuple[int, bytes, bool]:
    """Make the call as a client that doesn't give up."""
    assert isinstance(sent.by, HttpApi)
    answer = sent.by.persist("POST", sent.path, sent.body, key=key)
    return answer.status_code, answer.content, answer.headers.get("idempotent-replayed") == "true"


def race_chunk(
    tally: Tally,
    name: str,
    payers: list[Payer],
    *,
    size: int,
    persist: Persist,
    meanwhile: Callable[[], None] | None = None,
) -> None:
    """Race some keys of one call, a lane for each payer, and compare what they leave behind with one quiet call's."""
    prepare = MONEY_CALLS[name]
    quiet, crowd = prepare(payers[0]), [prepare(payers[lane % len(payers)]) for lane in range(size)]
    start = left_behind()
    persist(quiet, f"quiet-{uuid7()}")
    once = left_behind()
    word = name.replace(" ", "-")
    numbered = [(f"{word}-{tally.kept[name] + number}", sent) for number, sent in enumerate(crowd)]
    lanes = [numbered[lane :: len(payers)] for lane in range(len(payers))]
    with ThreadPoolExecutor(len(lanes) * RACERS) as racers:
        barriers = [threading.Barrier(RACERS) for _ in lanes]
        asked = [
            racers.submit(_race_lane, lane, barrier, persist)
            for lane, barrier in zip(lanes, barriers, strict=True)
            for _ in range(RACERS)
        ]
        if meanwhile is not None:
            time.sleep(0.05)
            meanwhile()
        answers = [done.result() for done in asked]
    after = left_behind()
    for lane, chosen in enumerate(lanes):
        for number, (key, sent) in enumerate(chosen):
            got = [answers[lane * RACERS + racer][number] for racer in range(RACERS)]
            _judge(tally, name, key, sent, got, was_hit=meanwhile is not None)
    wanted = {what: (once[what] - start[what]) * size for what in once}
    left = {what: after[what] - once[what] for what in after}
    if left != wanted:
        tally.found.append(f"{size} keys of {name} left {left} behind, not {wanted}")
    tally.kept[name] += size


def _race_lane(
    lane: list[tuple[str, Sent]], barrier: threading.Barrier, persist: Persist
) -> list[tuple[int, bytes, bool]]:
    try:
        got = []
        for key, sent in lane:
            barrier.wait(300)
            got.append(persist(sent, key))
        return got
    except BaseException:
        barrier.abort()
        raise
    finally:
        connections.close_all()


def _judge(
    tally: Tally, name: str, key: str, sent: Sent, got: list[tuple[int, bytes, bool]], *, was_hit: bool
) -> None:
    different = {answer[:2] for answer in got}
    firsts = [is_replay for _status, _bytes, is_replay in got].count(False)
    tally.figures["answers"] += len(got)
    tally.figures["keys answered in different ways"] += len(different) > 1
    if len(different) > 1 or not 200 <= got[0][0] < 300:
        tally.found.append(f"{name}, {key}: {sorted(different)[:3]}")
    # Who was first may have died before it could say so.
    if firsts > 1 or (firsts == 0 and not was_hit):
        tally.found.append(f"{name}, {key}: {firsts} of {len(got)} answers are told as the first")
    tally.raced.append(Raced(name, key, sent, got[0][:2]))


def ask_again_after_loss(stack: Stack, tally: Tally, bounds: Bounds) -> None:
    """Kill everything, empty the cache, start again; then ask every key again, with its request and with another one."""
    connections.close_all()
    for name in ("web", "worker", "beat", "valkey", "postgres"):
        stack.kill(name)
        tally.figures[f"kills of {name} before asking again"] += 1
    stack.wait_until_ready("postgres", "valkey", "web")
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as store:
        store.flushall()
    before = left_behind()
    asked = tally.raced if bounds.left_s > 30 else tally.raced[:: max(1, len(tally.raced) // 500)]
    with ThreadPoolExecutor(RACERS) as clients:
        for broken in clients.map(lambda one: _asked_again(one, bounds), asked):
            tally.found += broken
            tally.figures["keys asked again afterwards, with the same and another body"] += broken != ["late"]
    tally.found = [one for one in tally.found if one != "late"]
    after = left_behind()
    if after != before:
        tally.found.append(f"asking again moved something: {before} became {after}")


def _asked_again(one: Raced, bounds: Bounds) -> list[str]:
    if bounds.left_s < -30:
        return ["late"]
    broken = []
    status, content, is_replay = over_http(one.sent, one.key)
    if (status, content) != one.effect or not is_replay:
        broken.append(f"{one.key} is answered anew: {(status, content)}, was {one.effect}")
    assert isinstance(one.sent.by, HttpApi)
    refused = one.sent.by.persist("POST", one.sent.path, one.sent.other, key=one.key)
    if (refused.status_code, json.loads(refused.content)["code"]) != (422, "idempotency_key_reused"):
        broken.append(f"{one.key} took another body: {refused.effect}")
    return broken

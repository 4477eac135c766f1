"""Part 10: webhook targets that lead inside. None is taken, and none is ever connected to, however it got in.

Web server and worker run with `watched/sitecustomize.py`, which notes every connection that they are about to make and
answers for the names of this part, so that a name can lead elsewhere the second time it is asked.
"""

import json
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from unittest.mock import patch

from events import endpoints
from events.models import WebhookDelivery, WebhookEndpoint
from tests.events.receivers import Answer, Hook, Receiver, endpoint_for, receiver
from tests.events.test_addresses import HOSTILE, MALFORMED
from tests.factories.money import new_wallet
from tests.factories.people import someone
from tests.proof.calls import HttpApi
from tests.proof.parts import Bounds, PartReport
from tests.proof.stack import Stack

WATCHED = Path(__file__).with_name("watched")
PROGRAMS = ("web", "worker")
LONGEST_DELIVERY_S = 60.0
PUBLIC = "93.184.216.34"
# What a sandbox takes, as a developer's own receiver has no other name.
OF_THE_SANDBOX = ("https://127.0.0.1/", "https://[::1]/", "https://localhost/")
# Names, by what a resolver answers the first time and from then on.
LEADING_INSIDE = {
    "inside.test": [["10.1.2.3"]],
    "metadata.test": [["169.254.169.254"]],
    "loopback.test": [["127.0.0.1"]],
    "mapped.test": [["::ffff:127.0.0.1"]],
    "half.test": [[PUBLIC, "127.0.0.1"]],
}
REBINDING = {
    "rebinding-loopback.test": [[PUBLIC], ["127.0.0.1"]],
    "rebinding-v6-loopback.test": [[PUBLIC], ["::1"]],
    "rebinding-mapped.test": [[PUBLIC], ["::ffff:127.0.0.1"]],
    "rebinding-metadata.test": [[PUBLIC], ["169.254.169.254"]],
    "rebinding-private.test": [[PUBLIC], ["10.0.0.1"]],
    "rebinding-half.test": [[PUBLIC], [PUBLIC, "127.0.0.1"]],
}
CONTROL = "public.test"
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass
class Tally:
    """What is counted, and what broke."""

    figures: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Offer the targets to the API, plant those that it refuses, publish events, and see who was connected to."""
    tally, rng = Tally(), random.Random(seed)
    del bounds  # it takes a minute
    folder = stack.folder / "watched"
    folder.mkdir()
    names = {**LEADING_INSIDE, **REBINDING, CONTROL: [[PUBLIC]]}
    (folder / "names.json").write_text(json.dumps(names))
    _watch(stack, folder)
    with ExitStack() as running:
        trap = running.enter_context(trapped())
        refused = [*_at_the_trap(HOSTILE, trap), *_by_name(LEADING_INSIDE, trap)]
        rebinding = _by_name(REBINDING, trap)
        rng.shuffle(refused)
        shop = running.enter_context(receiver())
        redirecting = [
            running.enter_context(receiver(_redirect(status, where)))
            for status in REDIRECTS
            for where in (f"http://127.0.0.1:{trap.port}/", "http://169.254.169.254/latest/meta-data/")
        ]
        taken = _offer(HttpApi(stack.port, someone("service")), tally, refused, rebinding, redirecting, shop)
        planted = {**taken, **_plant(refused)}
        for _ in range(3):
            new_wallet(100)
        _wait_for_attempts(planted, tally)
        _judge(planted, tally, trap, shop, redirecting, folder)
    return PartReport(
        "hostile_urls",
        seed,
        dict(tally.figures),
        holds=not tally.found,
        tried=tally.figures["attempts of the worker"],
        is_complete=tally.figures["hostile targets"] >= 40,
        found=tuple(tally.found),
    )


@dataclass
class Trap:
    """A port that nobody may ever connect to, on every address of this machine."""

    port: int
    connections: int = 0


@contextmanager
def trapped() -> Iterator[Trap]:
    """Listen on one port, by IPv4 and IPv6, and count who comes."""
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    trap = Trap(listener.getsockname()[1])

    def count() -> None:
        with suppress(OSError):
            while True:
                caught, _ = listener.accept()
                trap.connections += 1
                caught.close()

    waiting = threading.Thread(target=count, daemon=True)
    waiting.start()
    try:
        with socket.create_connection(("127.0.0.1", trap.port)):
            pass
        until_s = time.monotonic() + 5
        while not trap.connections and time.monotonic() < until_s:
            time.sleep(0.01)
        assert trap.connections == 1, "the trap doesn't spring"
        trap.connections = 0
        yield trap
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        waiting.join()


def _watch(stack: Stack, folder: Path) -> None:
    path = os.pathsep.join(filter(None, (str(WATCHED), os.environ.get("PYTHONPATH"))))
    for name in PROGRAMS:
        program = stack.programs[name]
        environment = {**program.environment, "PYTHONPATH": path, "WATCHED_FOLDER": str(folder)}
        stack.programs = {**stack.programs, name: replace(program, environment=environment)}
        stack.kill(name)
    stack.wait_until_ready(*PROGRAMS)


def _at_the_trap(urls: list[str], trap: Trap) -> list[str]:
    """Send whatever has no port of its own to the trap's, which listens on all addresses of this machine."""
    made = []
    for url in urls:
        if url in OF_THE_SANDBOX:
            continue
        host = url.removeprefix("https://").partition("/")[0]
        rest = url.removeprefix(f"https://{host}")
        has_port = host.rpartition("]")[2].count(":") == 1
        made.append(url if has_port else f"https://{host}:{trap.port}{rest}")
    return made


def _by_name(names: dict[str, list[list[str]]], trap: Trap) -> list[str]:
    return [f"https://{name}:{trap.port}/hooks" for name in names]


def _redirect(status: int, where: str) -> Callable[[int, Hook], Answer]:
    return lambda _number, _hook: (status, {"Location": where}, b"")


def _offer(
    api: HttpApi,
    tally: Tally,
    refused: list[str],
    rebinding: list[str],
    redirecting: list[Receiver],
    shop: Receiver,
) -> dict[str, str]:
    """Offer all to the API: what leads inside is refused, and so is what is no URL; gives those that were taken."""
    taken = {}
    for url in [*refused, *MALFORMED]:
        status = api.post("/webhook-endpoints", {"url": url}).status_code
        tally.figures["targets refused when offered"] += status == HTTPStatus.BAD_REQUEST
        if status != HTTPStatus.BAD_REQUEST:
            tally.found.append(f"{url} was offered and answered {status}")
    for url in [
        *rebinding,
        *(one.url for one in redirecting),
        shop.url,
        f"https://{CONTROL}/hooks",
    ]:
        answer = api.post("/webhook-endpoints", {"url": url})
        if answer.status_code != HTTPStatus.CREATED:
            tally.found.append(f"{url} should be taken at first, and is answered {answer.effect}")
            continue
        taken[url] = answer.json()["id"]
    tally.figures["hostile targets"] = len(refused) + len(rebinding) + len(redirecting)
    tally.figures["of those, rebinding"] = len(rebinding)
    tally.figures["of those, redirecting"] = len(redirecting)
    return taken


def _plant(urls: list[str]) -> dict[str, str]:
    """Write down past the API what it refused, as if the name had led elsewhere when it was offered."""
    with patch.object(endpoints, "require_reachable"):
        return {url: str(endpoint_for(url).id) for url in urls}


def _wait_for_attempts(planted: dict[str, str], tally: Tally) -> None:
    until_s = time.monotonic() + LONGEST_DELIVERY_S
    waiting = set(planted.values())
    while waiting and time.monotonic() < until_s:
        tried = WebhookDelivery.objects.filter(endpoint_id__in=waiting, attempts__gte=1)
        waiting -= {str(endpoint_id) for endpoint_id in tried.values_list("endpoint_id", flat=True)}
        time.sleep(0.2)
    if waiting:
        untried = list(WebhookEndpoint.objects.filter(id__in=waiting).values_list("url", flat=True))
        tally.found.append(f"nothing was tried within {LONGEST_DELIVERY_S:.0f} s at {untried[:5]}")


def _judge(
    planted: dict[str, str],
    tally: Tally,
    trap: Trap,
    shop: Receiver,
    redirecting: list[Receiver],
    folder: Path,
) -> None:
    to_the_redirecting = {one.url for one in redirecting}
    for url, endpoint_id in planted.items():
        told = [
            entry.get("error") or ""
            for log in WebhookDelivery.objects.filter(endpoint_id=endpoint_id).values_list("log", flat=True)
            for entry in log
        ]
        if url == shop.url:
            wanted = ""
        elif url in to_the_redirecting:
            wanted = "redirect_not_followed"
        elif CONTROL in url:
            wanted = "connection_failed"
        else:
            wanted = "address_refused"
        tally.figures["attempts of the worker"] += len(told)
        tally.figures[f"attempts that ended with {wanted or 'a delivery'}"] += told.count(wanted)
        if set(told) != {wanted}:
            tally.found.append(f"attempts at {url} ended with {sorted(set(told))}, not with {wanted!r}")
    noted = [tuple(json.loads(line)) for line in (folder / "connections").read_text().splitlines()]
    expected = {int(one.url.split(":")[2].split("/")[0]) for one in (shop, *redirecting)}
    hostile = {
        place
        for place in noted
        if place[1] == trap.port or (not place[0].startswith("127.") and place[0] not in ("::1", PUBLIC))
    }
    tally.figures["connections of web and worker that were noted"] = len(noted)
    tally.figures["connections to hostile targets"] = len([place for place in noted if place in hostile])
    tally.figures["connections that the trap counted"] = trap.connections
    if hostile or trap.connections:
        tally.found.append(f"connected to {sorted(map(str, hostile))}; the trap counted {trap.connections}")
    if not shop.hooks or not {port for _host, port in noted} >= expected or (PUBLIC, 443) not in noted:
        tally.found.append("nothing was proved: what should have been connected to wasn't, or wasn't noted")

"""Customers who transfer money over HTTP and never give up, and the high-water mark that they keep for themselves."""

import http.client
import itertools
import json
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from uuid_utils.compat import uuid7

AMOUNT = 7
CLIENTS = 8
LONGEST_ANSWER_S = 15.0
LONGEST_FINISH_S = 60.0
PAUSE_S = 0.05


@dataclass(frozen=True)
class Payer:
    """A customer's wallet, and the token to move its money with."""

    wallet_id: UUID
    authorization: str


@dataclass
class HighWaterMark:
    """What was acknowledged: written to a file of its own, away from the database, before the client goes on."""

    path: Path
    moments_s: list[float] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def note_asked(self) -> None:
        with self._guard:
            self.asked += 1

    def note(self, key: str, transfer_id: str) -> None:
        """Note one acknowledged transfer."""
        with self._guard, self.path.open("a") as file:
            file.write(f"{key} {transfer_id}\n")
            self.moments_s.append(time.monotonic())

    def note_refusal(self, what: str) -> None:
        """Note that a try came to nothing yet."""
        with self._guard:
            self.refusals[what] = self.refusals.get(what, 0) + 1

    def acknowledged(self) -> dict[str, str]:
        """Read the file: the transfer's id by key."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return dict(line.split() for line in lines)  # type: ignore[arg-type]  # two words each

    def longest_gap_s(self, *, since_s: float) -> float:
        """The longest time without any acknowledgement from a moment on, in seconds of the monotonic clock."""
        moments = [since_s, *sorted(moment for moment in self.moments_s if moment > since_s)]
        return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=0.0)


class Load:
    """Transfers between random payers, one key for each, tried again with that key until it is answered."""

    def __init__(self, payers: list[Payer], *, port: int, mark: HighWaterMark) -> None:
        self._payers = payers
        self._port = port
        self._mark = mark
        self._is_over = threading.Event()
        self._is_hopeless = threading.Event()
        self._threads = [threading.Thread(target=self._pay, args=(number,)) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Begin nothing new; wait until everything that was begun is answered. Raises RuntimeError where it isn't."""
        self._is_over.set()
        until = time.monotonic() + LONGEST_FINISH_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self.give_up()
            raise RuntimeError(f"Clients get no answers: {self._mark.refusals}")

    def give_up(self) -> None:
        """End without waiting for answers: there is nobody left to give them."""
        self._is_over.set()
        self._is_hopeless.set()
        self._join()

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _pay(self, number: int) -> None:
        choice = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONGEST_ANSWER_S)
        while not self._is_over.is_set():
            source, target = choice.sample(self._payers, 2)
            key = str(uuid7())
            body = {
                "from_wallet_id": str(source.wallet_id),
                "to_wallet_id": str(target.wallet_id),
                "amount": AMOUNT,
                "currency": "USD",
                "description": f"drill {key}",
            }
            headers = {
                "Authorization": source.authorization,
                "Idempotency-Key": key,
                "Content-Type": "application/json",
            }
            self._mark.note_asked()
            while not self._is_hopeless.is_set():
                transfer_id = self._try(connection, json.dumps(body), headers)
                if transfer_id:
                    self._mark.note(key, transfer_id)
                    break
                time.sleep(PAUSE_S)
        connection.close()

    def _try(self, connection: http.client.HTTPConnection, body: str, headers: dict[str, str]) -> str:
        try:
            connection.request("POST", "/api/v1/wallet/transfer", body, headers)
            answer = connection.getresponse()
            content = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            self._mark.note_refusal(type(error).__name__)
            return ""
        if answer.status == http.HTTPStatus.CREATED:
            return str(content["transfer_id"])
        self._mark.note_refusal(f"{answer.status} {content.get('code')}")
        return ""

"""The load: a handful of connections, each asking again as soon as it is answered. Costs next to nothing.

Runs as a process of its own, so that its processor time isn't the application's: a plan comes as JSON on
standard input, the outcome goes as JSON to standard output.
"""

import json
import selectors
import socket
import sys
from dataclasses import dataclass, field
from time import perf_counter
from uuid import uuid4

KEY = b"{idempotency-key}"
LONGEST_WAIT_S = 30.0


@dataclass
class Connection:
    """One kept-open connection and the answer that it waits for."""

    socket: socket.socket
    asked_at: float = 0.0
    received: bytes = b""

    def ask(self, request: bytes) -> None:
        """Send one request."""
        self.received = b""
        self.asked_at = perf_counter()
        self.socket.sendall(request)

    def hear(self) -> bool:
        """Take what has arrived; tells whether the answer is whole."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed a connection")
        self.received += chunk
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return False
        at = head.lower().index(b"content-length:") + 15
        return len(body) >= int(head[at:].partition(b"\r\n")[0])


@dataclass
class Outcome:
    """What came of it: answers by status, each answer's time in seconds, and how long it all took."""

    statuses: dict[str, int] = field(default_factory=dict)
    times_s: list[float] = field(default_factory=list)
    lasted_s: float = 0.0


def drive(*, port: int, requests: list[bytes], connections: int, seconds: float) -> Outcome:
    """Send the requests in turn for that long, each with a fresh key where it says so, and wait for all answers."""
    outcome = Outcome()
    waiting = selectors.DefaultSelector()
    turn = 0

    def next_request() -> bytes:
        nonlocal turn
        request = requests[turn % len(requests)]
        turn += 1
        return request.replace(KEY, str(uuid4()).encode(), 1)

    started = perf_counter()
    for _ in range(connections):
        opened = socket.create_connection(("127.0.0.1", port))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(opened)
        waiting.register(opened, selectors.EVENT_READ, connection)
        connection.ask(next_request())
    open_count = connections
    while open_count:
        ready = waiting.select(LONGEST_WAIT_S)
        if not ready:
            raise TimeoutError(f"no answer within {LONGEST_WAIT_S:.0f} s")
        for key, _ in ready:
            connection = key.data
            if not connection.hear():
                continue
            answered = perf_counter()
            outcome.times_s.append(answered - connection.asked_at)
            status = connection.received[9:12].decode()
            outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
            if answered - started < seconds:
                connection.ask(next_request())
            else:
                waiting.unregister(connection.socket)
                connection.socket.close()
                open_count -= 1
    outcome.lasted_s = perf_counter() - started
    return outcome


def main() -> None:
    """Follow the plan."""
    plan = json.load(sys.stdin)
    outcome = drive(
        port=plan["port"],
        requests=[request.encode() for request in plan["requests"]],
        connections=plan["connections"],
        seconds=plan["seconds"],
    )
    json.dump(vars(outcome), sys.stdout)


if __name__ == "__main__":
    main()

"""The process that holds streams open: uvicorn, with connections that it accepts and such as are handed over to it."""

import asyncio
import resource
import socket
from typing import Any

import structlog
import uvicorn

from config.gateway.handing_over import listen_for_connections, take_over
from events.stream import hub_of_this_process

LONGEST_STOP_S = 3

_log = structlog.get_logger()


class StreamServer(uvicorn.Server):
    """uvicorn that also takes over connections from the API's web server, on the Unix socket `handover_address`."""

    def __init__(self, config: uvicorn.Config, *, handover_address: str) -> None:
        super().__init__(config)
        self.handover_address = handover_address
        self._taking: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and take connections over."""
        await super().startup(sockets=sockets)
        if self.handover_address:
            listener = listen_for_connections(self.handover_address)
            listener.settimeout(0)
            self._keep(self._accept(listener))
        _log.info("stream_ready", listeners_at_most=raise_open_files())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take over no more, end every stream, and stop: listeners come back and resume."""
        for task in tuple(self._taking):
            task.cancel()
        await hub_of_this_process().close()
        await super().shutdown(sockets=sockets)

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                link, _address = await loop.sock_accept(listener)
                self._keep(self._take(link))

    async def _take(self, link: socket.socket) -> None:
        taken = await asyncio.to_thread(take_over, link)
        if taken is None:
            return
        connection, head = taken
        connection.settimeout(0)
        loop = asyncio.get_running_loop()
        _transport, protocol = await loop.connect_accepted_socket(self._protocol, connection)
        protocol.data_received(head)

    def _protocol(self) -> Any:
        kind: Any = self.config.http_protocol_class
        return kind(config=self.config, server_state=self.server_state, app_state={})


def raise_open_files() -> int:
    """Allow this process as many open files as it may have, one for each listener; tell how many."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def serve(*, host: str, port: int, handover_address: str) -> None:
    """Serve streams until SIGTERM: on `host` and `port` where there is a port, and those that are handed over."""
    config = uvicorn.Config(
        "config.asgi:application",
        host=host,
        port=port,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        # Who is behind which proxy is decided by TRUSTED_PROXIES alone.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=LONGEST_STOP_S,
    )
    StreamServer(config, handover_address=handover_address).run(sockets=None if port else [])

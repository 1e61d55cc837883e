"""The port: accepts clients, gives each a thread, and ends all of them in order.

A `Server` owns everything between the sockets and the engine, but not the engine. `start` accepts
in a thread of its own; `stop` runs through the whole shutdown. Trouble in accepting (no file
descriptor left, no thread to be had) costs the one client that comes just then and a short pause:
it neither ends the server nor makes it spin.
"""

from __future__ import annotations

import errno
import itertools
import logging
import socket
import socketserver
import threading
from contextlib import suppress
from typing import Any

from ezra.sansio.connection import Connection
from ezra.sansio.errors import StartError, Text
from ezra.sansio.resp.encoder import encode
from ezra.sansio.resp.limits import Limits
from ezra.sansio.resp.values import SimpleError
from ezra.sansio.session import ServerIdentity, Session
from ezra.threaded.clients import Clients
from ezra.threaded.clock import Clock
from ezra.threaded.dispatcher import Dispatcher
from ezra.threaded.engine import Engine
from ezra.threaded.handler import Handler
from ezra.threaded.host import ServerHost
from ezra.threaded.settings import Settings
from ezra.threaded.watcher import Watcher
from ezra.version import VERSION

log = logging.getLogger(__name__)

BACKLOG = 4096
"""Clients that the kernel may connect before they are accepted: a fleet that starts all at once."""

ACCEPT_PAUSE = 0.1
"""Seconds to leave clients in the backlog when there is nothing to serve them with."""

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of accept that another attempt would only meet again."""

GRACE = 2.0
"""Seconds that connections have, at a shutdown, for what is being executed and its replies."""

FAREWELL = 0.5
"""And to notice, after that, that they have been cut off."""

Address = tuple[str, int]


class Server(socketserver.ThreadingTCPServer):
    """One listening socket and the threads of its clients."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False  # `stop` knows better when to wait for them
    request_queue_size = BACKLOG

    def __init__(self, settings: Settings, engine: Engine, clock: Clock) -> None:
        """Bind the port; nothing is accepted before `start`.

        Raises:
            StartError: the address cannot be resolved or bound.
        """
        self._engine = engine
        self._clock = clock
        self._max_clients = settings.max_clients
        self._limits = Limits(max_bulk=settings.max_payload_bytes)
        self._identity = ServerIdentity(VERSION)
        self._access = settings.access
        self._numbers = itertools.count(1)
        self._clients = Clients()
        self._stopping = threading.Event()
        self._short_of: str | None = None
        try:
            self.address_family, address = resolve(settings.host, settings.port)
            super().__init__(address, socketserver.BaseRequestHandler)
        except OSError as error:
            where = show_address(settings.host, settings.port)
            raise StartError(f"cannot serve {where}: {error.strerror}") from error
        host = ServerHost(settings, self.address, engine, clock, self._clients)
        self._dispatcher = Dispatcher(engine, clock, host)
        self._watcher = Watcher()
        self._accepting = threading.Thread(
            target=self.serve_forever, name="ezra-accept", daemon=True
        )

    @property
    def address(self) -> Address:
        """The host and port that clients connect to, also where port 0 was asked for."""
        host, port = self.server_address[:2]
        return str(host), int(port)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def start(self) -> None:
        """Accept clients from now on, in a thread."""
        self._accepting.start()

    def stop(self) -> None:
        """Stop accepting, let what is being executed finish, answer the blocked, end every client.

        Takes at most `GRACE + FAREWELL` seconds, however the clients behave. The engine is drained,
        not closed. To be called once, after `start`.
        """
        self._stopping.set()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self.shutdown()
        self.server_close()
        self._engine.drain()
        self._clients.tell_all(Handler.stop)
        if not self._clients.all_gone(GRACE):
            self._clients.tell_all(Handler.cut)
            self._clients.all_gone(FAREWELL)
        self._watcher.close()

    # From here on: what socketserver calls for each client, in this order.

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; after a shortage, pause before the next attempt."""
        try:
            accepted = super().get_request()
        except OSError as error:
            if error.errno in SHORTAGES:
                self._pause(str(error))
            raise
        self._short_of = None
        return accepted

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Refuse a client beyond the limit, and say so."""
        if self.clients < self._max_clients:
            return True
        log.warning("client %s refused: max-clients (%d) reached", client_address, self.clients)
        self._clients.reject()
        refuse(request)
        return False

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the client's thread, or refuse it when there is none to be had."""
        session = self._session_for(request, client_address)
        connection = Connection(session, self._limits)
        handler = Handler(
            request, session, connection, self._dispatcher, self._watcher, self._clock
        )
        self._clients.add(request, handler)
        try:
            super().process_request(request, client_address)
        except RuntimeError as error:
            refuse(request)
            self.shutdown_request(request)
            self._pause(str(error))

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve the client to its end, in its own thread."""
        log.debug("client %s connected", client_address)
        self._clients.handler(request).run()

    def close_request(self, request: Any) -> None:
        """Close the client's socket and forget it."""
        super().close_request(request)
        self._clients.remove(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's
        """Log what should not have happened; it ends this client's connection and no other."""
        log.exception("client %s: an error in the server ended its connection", client_address)

    def _session_for(self, peer: socket.socket, peer_address: Address) -> Session:
        """Return the session of a client that has just come."""
        now = self._clock.now()
        return Session(
            next(self._numbers),
            self._identity,
            access=self._access,
            address=show_address(*peer_address[:2]),
            local_address=show_address(*peer.getsockname()[:2]),
            descriptor=peer.fileno(),
            connected_at=now,
            active_at=now,
        )

    def _pause(self, shortage: str) -> None:
        """Leave clients in the backlog for a moment; log the first of a row."""
        if self._short_of != shortage:
            log.error("cannot take another client, trying again shortly: %s", shortage)
            self._short_of = shortage
        self._stopping.wait(ACCEPT_PAUSE)


def refuse(client: socket.socket) -> None:
    """Tell a client that there is no room, without ever waiting for it."""
    with suppress(OSError):
        client.setblocking(False)
        client.send(encode(SimpleError(Text.MAX_CLIENTS), 2))


def resolve(host: str, port: int) -> tuple[socket.AddressFamily, Address]:
    """Return the family and the address to bind for a host name or an address of either kind.

    Raises:
        OSError: there is no such host.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def show_address(host: str, port: int) -> str:
    """Return the address as a person writes it; one of IPv6 stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

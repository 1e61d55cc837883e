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
from ipaddress import ip_address
from typing import Any

from ezra.sansio.connection import Connection
from ezra.sansio.errors import StartError, Text
from ezra.sansio.resp.encoder import encode
from ezra.sansio.resp.limits import Limits
from ezra.sansio.resp.values import SimpleError
from ezra.sansio.session import ServerIdentity, Session
from ezra.threaded.budget import Account, budget_of
from ezra.threaded.clients import Clients
from ezra.threaded.clock import Clock
from ezra.threaded.deadlines import Deadlines
from ezra.threaded.dispatcher import Dispatcher
from ezra.threaded.engine import Engine
from ezra.threaded.handler import Handler
from ezra.threaded.host import ServerHost
from ezra.threaded.link import RECEIVE_SIZE, Link, TlsLink
from ezra.threaded.seldom import Seldom
from ezra.threaded.settings import Settings
from ezra.threaded.tls import make_context
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

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        clock: Clock,
        deadlines: Deadlines | None = None,
    ) -> None:
        """Bind the port; nothing is accepted before `start`.

        Args:
            settings: what was asked for.
            engine: keeps the tasks.
            clock: tells the time.
            deadlines: other than those of every server, for tests.

        Raises:
            StartError: the address cannot be resolved or bound, or TLS is not to be had with the
                files that are named.
        """
        self._tls = make_context(settings)
        self._only_local = needs_protection(settings)
        self._deadlines = deadlines or Deadlines(idle=settings.idle_timeout)
        self._engine = engine
        self._clock = clock
        self._max_clients = settings.max_clients
        self._limits = Limits(max_bulk=settings.max_payload_bytes)
        self._identity = ServerIdentity(VERSION)
        self._access = settings.access
        self._numbers = itertools.count(1)
        self._clients = Clients()
        self._stopping = threading.Event()
        self._shortages = Seldom(clock)
        self._refusals = Seldom(clock)
        self._budget = budget_of(settings)
        try:
            self.address_family, address = resolve(settings.host, settings.port)
            super().__init__(address, socketserver.BaseRequestHandler)
        except OSError as error:
            where = show_address(settings.host, settings.port)
            raise StartError(f"cannot serve {where}: {error.strerror}") from error
        host = ServerHost(settings, self.address, engine, clock, self._clients, self._budget)
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
            peer, address = super().get_request()
        except OSError as error:
            if error.errno in SHORTAGES:
                self._pause(str(error))
            raise
        return self._in_tls(peer), address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Refuse a client that comes from elsewhere or beyond the limit, and say so."""
        if self._only_local and not is_loopback(client_address[0]):
            self._refuse(request, client_address, Text.PROTECTED_MODE, "protected mode")
            return False
        if self.clients < self._max_clients:
            return True
        reason = f"max-clients ({self._max_clients}) reached"
        self._refuse(request, client_address, Text.MAX_CLIENTS, reason)
        return False

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the client's thread, or refuse it when there is none to be had."""
        session = self._session_for(request, client_address)
        kind = Link if self._tls is None else TlsLink
        handler = Handler(
            kind(request, self._deadlines, self._clock),
            session,
            Connection(session, self._limits),
            self._dispatcher,
            self._watcher,
            Account(self._budget),
        )
        self._clients.add(request, handler)
        try:
            # Not socketserver's own way: what it keeps for each thread counts with so many.
            threading.Thread(
                target=self._serve, args=(request, handler), name="ezra-client", daemon=True
            ).start()
        except RuntimeError as error:
            self._refuse(request, client_address, Text.MAX_CLIENTS, str(error))
            self.shutdown_request(request)
            self._pause(str(error))

    def _serve(self, request: socket.socket, handler: Handler) -> None:
        """Serve the client to its end, in its own thread."""
        try:
            handler.run()
        except Exception:
            self.handle_error(request, handler.session.address)
        finally:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """End the connection, below TLS: its own last word has been said."""
        with suppress(OSError):
            socket.socket.shutdown(request, socket.SHUT_WR)
        self.close_request(request)

    def close_request(self, request: Any) -> None:
        """Close the client's socket and forget it."""
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

    def _in_tls(self, peer: socket.socket) -> socket.socket:
        """Return the socket as the client's thread will use it; the handshake is left to that."""
        if self._tls is None:
            return peer
        try:
            return self._tls.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
        except OSError:
            peer.close()  # it has gone again
            raise

    def _refuse(self, peer: socket.socket, address: Address, text: str, reason: str) -> None:
        """Tell a client that it is not served, and why; in TLS that would mean waiting for it."""
        self._clients.reject()
        self._refusals.warning("client %s refused: %s", show_address(*address[:2]), reason)
        if self._tls is None:
            refuse(peer, text)

    def _pause(self, shortage: str) -> None:
        """Leave clients in the backlog for a moment."""
        self._shortages.error("cannot take another client, trying again shortly: %s", shortage)
        self._stopping.wait(ACCEPT_PAUSE)


def refuse(client: socket.socket, text: str) -> None:
    """Tell a client why it is not served, without ever waiting for it.

    What it has sent already is read: otherwise its kernel would hear of a reset, and might throw
    the error away.
    """
    with suppress(OSError):
        client.setblocking(False)
        client.send(encode(SimpleError(text), 2))
        client.shutdown(socket.SHUT_WR)
        client.recv(RECEIVE_SIZE)


def needs_protection(settings: Settings) -> bool:
    """Tell whether clients of other machines are to be refused: nobody can say who they are."""
    known = settings.access.needed or settings.tls_client_ca is not None
    return settings.protected_mode and not known


def is_loopback(host: str) -> bool:
    """Tell whether an address is the machine's own, also where IPv6 carries one of IPv4."""
    address = ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


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

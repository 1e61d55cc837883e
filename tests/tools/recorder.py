"""What a tool says to a server and hears from it: a proxy that pairs requests with their replies.

Strategy: one thread a direction, which hands on the bytes as they come, so that the tool meets the
server's own behaviour. Both directions are read with EZRA's protocol core, which knows no sockets
and so serves as well here as in the server. RESP answers in order: a reply belongs to the oldest
request of its connection that has none yet.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from ezra.sansio.errors import RemoteProtocolError
from ezra.sansio.resp.buffer import NEED_DATA, NeedData
from ezra.sansio.resp.decoder import Decoder
from ezra.sansio.resp.requests import Oversized, RequestDecoder
from ezra.sansio.resp.values import BulkError, Push, SimpleError, Value

CHUNK = 65_536
"""Bytes read at once."""

MOST_WORDS, MOST_LETTERS = 12, 32
"""How much is shown of a command, and of one of its words."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what was answered."""

    words: tuple[bytes, ...]
    reply: Value

    @property
    def refusal(self) -> str | None:
        """The error's text; None if it was not refused."""
        return self.reply.text if isinstance(self.reply, SimpleError | BulkError) else None

    @property
    def name(self) -> str:
        """The command's name, with its subcommand where it is the subcommand that is refused."""
        words = 2 if "subcommand" in (self.refusal or "") else 1
        return b" ".join(self.words[:words]).decode("ascii", "replace").upper()

    @property
    def command(self) -> str:
        """Return the words as a person types them, as far as one reads them with ease."""
        shown = " ".join(_printable(word) for word in self.words[:MOST_WORDS])
        return shown if len(self.words) <= MOST_WORDS else f"{shown} …"


def _printable(word: bytes) -> str:
    text = word.decode("ascii", "backslashreplace")
    text = text if text.isprintable() else repr(text)[1:-1]
    return (text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…") or "''"


class _Dialogue:
    """One connection's requests and replies, in the order in which they belong together."""

    def __init__(self, heard: Callable[[Exchange], None]) -> None:
        self._heard = heard
        self._requests = RequestDecoder()
        self._replies = Decoder()
        self._unanswered: deque[tuple[bytes, ...]] = deque()

    def asked(self, data: bytes) -> None:
        """Take bytes that the tool sent."""
        self._requests.receive_data(data)
        while not isinstance(request := self._requests.next_request(), NeedData):
            self._unanswered.append(() if isinstance(request, Oversized) else tuple(request))

    def answered(self, data: bytes) -> None:
        """Take bytes that the server sent."""
        self._replies.receive_data(data)
        while (reply := self._replies.next_value()) is not NEED_DATA:
            assert not isinstance(reply, NeedData)
            if self._unanswered and not isinstance(reply, Push):
                self._heard(Exchange(self._unanswered.popleft(), reply))


class Recorder:
    """A proxy on a free loopback port, from its making to `close`.

    Args:
        connect: opens a connection to the server.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def port(self) -> int:
        """Where tools connect, on 127.0.0.1."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def exchanges(self) -> list[Exchange]:
        """Return everything said so far, over all connections, in the order of the replies."""
        with self._lock:
            return list(self._exchanges)

    def close(self) -> None:
        """Cut every connection and accept no more."""
        with self._lock:
            for end in (self._listener, *self._sockets):
                # An accept or a recv that waits in another thread ends only by a shutdown.
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._acceptor.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                tool, _ = self._listener.accept()
                self._serve(tool)

    def _serve(self, tool: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            tool.close()
            return
        with self._lock:
            self._sockets += [tool, server]
        dialogue = _Dialogue(self._heard)
        for source, sink, listen in (
            (tool, server, dialogue.asked),
            (server, tool, dialogue.answered),
        ):
            threading.Thread(target=_pump, args=(source, sink, listen), daemon=True).start()

    def _heard(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.append(exchange)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pump(source: socket.socket, sink: socket.socket, listen: Callable[[bytes], None]) -> None:
    """Hand on what comes until either end is gone; then tell the other end so."""
    understood = True
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            # Listening first: a reply may be here before the request has been heard otherwise.
            try:
                if understood:
                    listen(data)
            except RemoteProtocolError:
                understood = False  # no RESP: the proxy hands it on, and hears no more of it
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)

"""The same words to EZRA and to a real Redis, and what each of them answers, as typed RESP values.

Values are read by EZRA's own decoder, which keeps apart what clients keep apart: a map and an
array, a null and a null array, a bulk string and a simple one. (The decoder itself is held against
hiredis elsewhere.)
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from ezra.sansio.errors import RemoteProtocolError
from ezra.sansio.resp.buffer import NeedData
from ezra.sansio.resp.decoder import Decoder
from ezra.sansio.resp.values import SimpleError, Value
from tests.integration.raw_client import Word, encode


class Peer:
    """One connection to a server."""

    def __init__(self, peer: socket.socket) -> None:
        self._socket = peer
        self._decoder = Decoder()

    def send(self, *words: Word) -> None:
        """Send one command."""
        self._socket.sendall(encode(*words))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def value(self) -> Value:
        """Wait for the next reply; ConnectionError when the server has closed."""
        while isinstance(value := self._decoder.next_value(), NeedData):
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._decoder.receive_data(data)
        return value

    def call(self, *words: Word) -> Value:
        """Send one command and return its reply."""
        self.send(*words)
        return self.value()

    def rest(self) -> list[Value]:
        """Return every reply until the server closes the connection."""
        values: list[Value] = []
        try:
            while True:
                values.append(self.value())
        except (ConnectionError, RemoteProtocolError):
            return values

    def end(self) -> None:
        """Send no more."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class Pair:
    """A connection to each server."""

    def __init__(
        self, ezra: Callable[[], socket.socket], redis: Callable[[], socket.socket]
    ) -> None:
        self.ezra = Peer(ezra())
        self.redis = Peer(redis())

    def call(self, *words: Word) -> tuple[Value, Value]:
        """Send one command to both; return EZRA's reply, and that of Redis."""
        self.ezra.send(*words)
        self.redis.send(*words)
        return self.ezra.value(), self.redis.value()

    def same(self, *words: Word) -> Value:
        """Send one command to both, which must answer the same; return it."""
        ours, theirs = self.call(*words)
        assert ours == theirs, f"{words}: EZRA says {ours!r}, Redis {theirs!r}"
        return ours

    def fails(self, *words: Word) -> str:
        """Send one command to both, which must answer the same error; return its text."""
        error = self.same(*words)
        assert isinstance(error, SimpleError), f"{words}: {error!r}"
        return error.text

    def close(self) -> None:
        """Hang up on both."""
        self.ezra.close()
        self.redis.close()

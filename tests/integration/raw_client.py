"""A client with nothing between the test and the bytes: it sends words, and reads replies.

Replies are parsed by hiredis, which is not ours: bulk strings are bytes, errors are
`hiredis.ReplyError` objects that are returned and not raised.
"""

from __future__ import annotations

import socket
from typing import Any, Self

import hiredis

from tests.integration.waiting import PATIENCE

Word = str | bytes | int


def encode(*words: Word) -> bytes:
    """Return the words as a RESP request."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class RawClient:
    """One connection."""

    def __init__(self, address: tuple[str, int], *, protocol: int = 2) -> None:
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()
        if protocol == 3:
            self.call("HELLO", 3)

    def send(self, *words: Word) -> None:
        """Send one command."""
        self.socket.sendall(encode(*words))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def reply(self) -> Any:
        """Wait for the next reply and return it; ConnectionError when the server has closed."""
        while (reply := self._reader.gets()) is False:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._reader.feed(data)
        return reply

    def replies(self, count: int) -> list[Any]:
        """Return the next replies."""
        return [self.reply() for _ in range(count)]

    def call(self, *words: Word) -> Any:
        """Send one command and return its reply."""
        self.send(*words)
        return self.reply()

    def error(self, *words: Word) -> str:
        """Send one command, which must be answered with an error, and return the error's text."""
        reply = self.call(*words)
        assert isinstance(reply, hiredis.ReplyError), reply
        return str(reply)

    def is_closed(self) -> bool:
        """Wait for the server to close the connection, which is to have sent nothing before."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def hold_little(self) -> None:
        """Keep the kernel from taking in more than a few bytes that the test has not read."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def push(self, queue: str, payload: Word, *options: Word) -> bytes:
        """XADD; return the id."""
        reply = self.call("XADD", queue, "*", "payload", payload, *options)
        assert isinstance(reply, bytes), reply
        return reply

    def send_pop(self, *queues: str, worker: str = "w", block: int | None = 0) -> None:
        """Send an XREADGROUP for one task; by default one that waits for ever."""
        blocking = () if block is None else ("BLOCK", block)
        ids = [">"] * len(queues)
        self.send("XREADGROUP", "GROUP", "g", worker, *blocking, "STREAMS", *queues, *ids)

    def pop(self, *queues: str, worker: str = "w") -> Entry | None:
        """XREADGROUP for one task without waiting; return it, or None."""
        self.send_pop(*queues, worker=worker, block=None)
        return self.popped()

    def popped(self) -> Entry | None:
        """Wait for the reply to `send_pop` and return the task in it, or None."""
        reply = self.reply()
        if reply is None:
            return None
        [[queue, [[number, fields]]]] = reply.items() if isinstance(reply, dict) else reply
        return Entry(queue.decode(), number, fields)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Entry:
    """A task as it came over the wire."""

    def __init__(self, queue: str, number: bytes, fields: list[bytes]) -> None:
        self.queue = queue
        self.id = number
        self.fields = fields

    def __getitem__(self, name: str) -> bytes:
        """Return a field's value."""
        return dict(zip(self.fields[::2], self.fields[1::2], strict=True))[name.encode()]

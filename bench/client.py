"""The client side: connections driven by scripts, cheap enough that the server is what is measured.

A script is a generator function: it yields the bytes to send and is resumed with the reply, so the
life of a producer or a worker reads from top to bottom. `drive` runs many of them in one thread
over epoll. The sockets block: one is read only when epoll says that there is something, and
requests are small enough for the kernel's buffer, so that nothing ever waits in between. Replies
are parsed by hiredis, in C.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import TypeAlias

import hiredis

Script: TypeAlias = Generator[bytes, object, None]
"""Yields bytes to send (or `b""`: just wait for one more reply), receives one reply each time."""

Address: TypeAlias = tuple[str, int]

_MISSING = object()
_READ = 1 << 16


class BenchError(Exception):
    """A run that proves nothing: its figures must not be printed."""


def command(*words: bytes) -> bytes:
    """Encode a command as RESP."""
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


class Link:
    """One connection, RESP2. An error reply, or a connection that ends, raises BenchError."""

    def __init__(self, address: Address, patience: float = 10.0) -> None:
        """Connect; `patience` is how many seconds a reply may take."""
        self.socket = socket.create_connection(address, timeout=patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send = self.socket.sendall
        self._reader = hiredis.Reader(notEnoughData=_MISSING)

    def feed(self) -> None:
        """Read once what has arrived; waits for it if there is nothing."""
        try:
            data = self.socket.recv(_READ)
        except TimeoutError:
            raise BenchError("stalled: the server owes a reply") from None
        if not data:
            raise BenchError("the server closed the connection")
        self._reader.feed(data)

    def next_reply(self) -> object:
        """Return the next complete reply that was read; `nothing` says when there is none."""
        reply: object = self._reader.gets()
        if isinstance(reply, hiredis.ReplyError):
            raise BenchError(f"the server answered an error: {reply}")
        return reply

    def receive(self) -> object:
        """Return the next reply, waiting for it."""
        while nothing(reply := self.next_reply()):
            self.feed()
        return reply

    def ask(self, request: bytes) -> object:
        """Send a command and return its reply."""
        self.send(request)
        return self.receive()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def nothing(reply: object) -> bool:
    """Say whether `next_reply` found no complete reply."""
    return reply is _MISSING


def drive(
    address: Address,
    scripts: Iterable[Script],
    finished: Callable[[], bool],
    *,
    patience: float = 10.0,
) -> None:
    """Run each script on a connection of its own until `finished` says that all is done.

    `patience` is how many seconds may pass without any reply. Scripts that have not ended by then
    are closed, and so are all connections.

    Raises:
        BenchError: an error reply, a closed connection, or no reply within `patience`.
    """
    peers = [_Peer(address, script) for script in scripts]
    try:
        _loop(peers, finished, patience)
    finally:
        for peer in peers:
            peer.close()


def _loop(peers: list[_Peer], finished: Callable[[], bool], patience: float) -> None:
    turns = {peer.link.socket.fileno(): peer.turn for peer in peers}
    with closing(select.epoll(len(peers))) as poll:
        for number in turns:
            poll.register(number, select.EPOLLIN)
        for peer in peers:
            peer.start()
        while not finished():
            ready = poll.poll(patience)
            if not ready:
                raise BenchError(f"stalled: no reply for {patience:g} s")
            for number, _ in ready:
                turns[number]()


class _Peer:
    """A script and its connection."""

    __slots__ = ("_resume", "_script", "link")

    def __init__(self, address: Address, script: Script) -> None:
        self.link = Link(address)
        self._script = script
        self._resume = script.send

    def start(self) -> None:
        """Send the script's first request, if it has one."""
        self.link.send(next(self._script, b""))

    def turn(self) -> None:
        """Hand the replies that have arrived to the script and send what it says."""
        link = self.link
        link.feed()
        while not nothing(reply := link.next_reply()):
            try:
                request = self._resume(reply)
            except StopIteration:
                return
            if request:
                link.send(request)

    def close(self) -> None:
        self._script.close()
        self.link.close()

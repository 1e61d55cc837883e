"""A client's side of the wire, for tests: requests as bytes, and one command's way through."""

from __future__ import annotations

from typing import Literal

from hypothesis import strategies as st

from ezra.sansio.access import Access
from ezra.sansio.commands import Command, ConnectionCommand, ServerCommand
from ezra.sansio.connection import BadCommand, Connection
from ezra.sansio.session import ServerIdentity, Session
from tests.property.fake_host import FakeHost

UNICODE = st.characters(exclude_categories=["Cs"])
"""Whatever UTF-8 can encode. It is what `st.text` draws from anyway, but hypothesis works that out
by trying a million code points, several seconds in each process of a fresh checkout's first run."""


def request(*words: bytes) -> bytes:
    """Return the bytes of a request, as clients send them."""
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words
    )


PASSWORDS = Access.of("main", "pushes", "works")
"""A server with all three."""


def session(protocol: Literal[2, 3] = 2, access: Access = Access.OPEN) -> Session:
    """Return the session of a client that has said nothing yet."""
    return Session(7, ServerIdentity("1.2.3"), protocol, access=access)


def connection(protocol: Literal[2, 3] = 2, access: Access = Access.OPEN) -> Connection:
    """Return a fresh connection."""
    return Connection(session(protocol, access))


def split(line: str) -> list[bytes]:
    """Return the words of a line; `''` stands for the empty word."""
    return [b"" if word == "''" else word.encode() for word in line.split()]


def reply(line: str, result: object = None, protocol: Literal[2, 3] = 2) -> bytes:
    """Return what a client reads that sent these words, when `result` is what they came to.

    A command of the connection or the server answers itself, and a bad one is answered with its
    error.
    """
    return reply_to(split(line), result, protocol)


def reply_to(words: list[bytes], result: object = None, protocol: Literal[2, 3] = 2) -> bytes:
    """Return the same for words that a line cannot hold."""
    own = session(protocol)
    machine = Connection(own)
    machine.receive_data(request(*words))
    event = machine.next_event()
    if isinstance(event, BadCommand):
        return machine.send(event.error)
    assert isinstance(event, Command)
    if isinstance(event, ConnectionCommand):
        result = event.answer(own)
    if isinstance(event, ServerCommand):
        result = event.answer(FakeHost(own), own)
    return machine.send(result)

r"""What any bytes must leave standing: each target raises `AssertionError`, or anything, if not.

`TARGETS` has them by name. The tests try them with hypothesis, `make fuzz` with a fuzzer that looks
for new ways through the code, and `seeds` are what that begins with, made of the tests' own cases.

The session's input is a script. A byte 0xFE begins a step, the byte behind it says which: `a` or
`b` and what that client sends, `A` or `B` for its end, `x` or `y` for its breaking off, `t` for the
passing of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random

from ezra.sansio import transaction
from ezra.sansio.connection import Connection
from ezra.sansio.errors import RemoteProtocolError
from ezra.sansio.model import SECOND
from ezra.sansio.resp import Decoder, RequestDecoder, encode
from ezra.sansio.resp.inline import split_inline
from ezra.sansio.resp.limits import Limits
from ezra.threaded.sqlite.rows import pack_headers, unpack_headers
from tests.fuzz.pure_server import PureClient, PureServer
from tests.fuzz.soup import Cook
from tests.property.commands.error_cases import ERRORS
from tests.property.commands.shape_cases import FAMILIES
from tests.property.queue.oracle import check_books, check_record
from tests.property.queue.story import books
from tests.property.resp.cases import FRAGMENTS
from tests.property.resp.delivery import SMALL, decode, pieces, texts
from tests.property.wire import request, split

STEP = b"\xfe"
"""Begins a step of a session's script."""

MOST_STEPS = 60
MOST_BYTES = 16 * 1024
"""Beyond these an input is only slower, not odder."""

SHORT_TRANSACTION = 2048
"""Bytes that a transaction may keep here."""


def decoder(data: bytes) -> None:
    """Cut or whole, both decoders give the same; what they give is said and read again alike."""
    limits = SMALL if data[:1] < b"\x80" else Limits()
    for make in (Decoder, RequestDecoder):
        found = texts(decode(make(limits), [data]))
        assert texts(decode(make(limits), pieces(data, 1 + len(data) % 7))) == found
    for value in decode(Decoder(), [data]):
        if not isinstance(value, RemoteProtocolError):
            wire = encode(value, 3)  # type: ignore[arg-type]  # what is no error is a value
            (again,) = decode(Decoder(), [wire])
            assert encode(again, 3) == wire  # type: ignore[arg-type]  # the same


def inline(data: bytes) -> None:
    """The words of a line, quoted, are those words."""
    try:
        found = split_inline(data)
    except RemoteProtocolError:
        return
    quoted = b" ".join(b'"%b"' % b"".join(b"\\x%02x" % byte for byte in word) for word in found)
    assert split_inline(quoted) == found


def headers(data: bytes) -> None:
    """What is taken for headers is written just so."""
    try:
        found = unpack_headers(data)
    except ValueError:
        return
    assert pack_headers(found) == data


def session(data: bytes) -> None:
    """Two clients send what they like: no error but theirs, little memory, books that add up."""
    server = PureServer()
    clients = {"a": server.client(), "b": server.client()}
    with short_transactions():
        for step in data[:MOST_BYTES].split(STEP)[:MOST_STEPS]:
            _take_step(server, clients, chr(step[0]) if step else "a", step[1:])
            for client in clients.values():
                assert kept(client.connection) <= most_kept(server.limits)
    check(server)


@contextmanager
def short_transactions() -> Iterator[None]:
    """Meanwhile, a transaction may hold as little as a fuzzer is likely to send."""
    usual = transaction.MAX_BYTES
    transaction.MAX_BYTES = SHORT_TRANSACTION
    try:
        yield
    finally:
        transaction.MAX_BYTES = usual


def _take_step(server: PureServer, clients: dict[str, PureClient], which: str, data: bytes) -> None:
    name = {"A": "a", "B": "b", "x": "a", "y": "b"}.get(which, which)
    if name == "t":
        server.advance(SECOND // 2 * (1 + len(data)))
        return
    name = name if name in clients else "a"
    if clients[name].over:
        clients[name] = server.client()
    if which in "xy":
        clients[name].vanish()
    elif data or which in "AB":
        clients[name].send(b"" if which in "AB" else data)


def kept(connection: Connection) -> int:
    """Return how many of its peer's bytes a connection holds."""
    decoder = connection._decoder
    words = sum(map(len, decoder._words)) + transaction.WORD_COST * len(decoder._words)
    return len(decoder._buffer) + words + connection._transaction.size


def most_kept(limits: Limits) -> int:
    """Return how many of a peer's bytes a connection may hold while nothing of it is in work."""
    request = limits.max_request + limits.max_line + transaction.WORD_COST * limits.max_words
    return request + transaction.MAX_BYTES


def check(server: PureServer) -> None:
    """Check the server's books, counted one by one, and each task's record."""
    server.advance(0)
    tasks = server.machine.tasks()
    for task in tasks:
        check_record(task, server.moment)
    for info in books(server.machine, server.moment):
        check_books(info, tasks, server.moment)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "decoder": decoder,
    "session": session,
    "inline": inline,
    "headers": headers,
}


def seeds(name: str) -> Iterator[bytes]:
    """Yield what a fuzzer of that target begins with."""
    lines = [*ERRORS, *(case.line for cases in FAMILIES.values() for case in cases)]
    match name:
        case "decoder":
            yield from FRAGMENTS
            yield from (request(*split(line)) for line in lines)
        case "session":
            yield from (b"a" + request(*split(line)) for line in lines)
            yield from scripts()
        case "inline":
            yield from (line.encode() for line in lines)
            yield from (b"\"a\\x00\\n\" 'b\\'c'", b'a"b"', b"'unbalanced")
        case _:
            yield from (b"", b"4:user,5:alice,", b"0:,0:,", b"0:,-4:", b"10:0123456789,0:,")


def scripts(count: int = 40) -> Iterator[bytes]:
    """Yield sessions of two clients, made of the cook's soup."""
    for seed in range(count):
        chance = Random(seed)
        yield script(chance, Cook(chance))


def script(chance: Random, cook: Cook) -> bytes:
    """Return a session's script."""
    steps = []
    for _ in range(chance.randint(1, 12)):
        which = chance.choice(b"aaabbbaabbABxyt")
        steps.append(bytes([which]) + (cook.meal() if which in b"ab" else b""))
    return STEP.join(steps)

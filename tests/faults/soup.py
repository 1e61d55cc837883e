"""A whole server under soup: rude clients on its port, and honest ones who must not notice.

A round is a few rude connections at once. What they send is the cook's (`tests.fuzz.soup`), cut
anywhere; some hang up at any byte, some never read, the others end their sentence and read all that
comes. Every rude client begins with a push to a queue that only such pushes go to. After each round
an honest client, who was connected all the while, pushes, claims and acks; the books must be those
of what was answered; and the process must neither have grown nor logged an error.
"""

from __future__ import annotations

import selectors
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self

import hiredis

from tests.faults.tally import Tally
from tests.fuzz.soup import Cook
from tests.integration.raw_client import RawClient, encode
from tests.integration.server_process import ServerProcess
from tests.integration.waiting import PATIENCE, until

KEPT = "kept"
"""The queue of the pushes that are counted; the cook does not know its name."""

HONEST = "honest"

MOST_GROWTH = 96 * 1024 * 1024
"""Bytes by which the server may grow, however long it goes on: SQLite's cache is most of it."""

ROUNDS_BEFORE_CLEANING = 20
"""After so many rounds the rude clients' tasks are removed: it is not they that are measured."""


@dataclass(slots=True)
class Rude:
    """One rude client: what it will send, and how it ends."""

    socket: socket.socket
    rest: bytes
    marked: bytes
    """The payload of its counted push."""
    reads: bool
    """Whether it reads to the end; else it hangs up when all is sent."""
    read: bytearray = field(default_factory=bytearray)


class Kitchen:
    """Pours soup over a server, round by round.

    Args:
        address: the server's.
        chance: all that is left to chance.
    """

    def __init__(self, address: tuple[str, int], chance: Random) -> None:
        self.honest = RawClient(address)
        self.inputs = 0
        """Rude clients so far."""
        self._address = address
        self._chance = chance
        self._cook = Cook(chance, harmless=True)
        self._acked = 0
        self._sent: set[bytes] = set()
        self._answered: dict[bytes, bytes] = {}
        self.honest.call("XGROUP", "CREATE", KEPT, "g", "$", "MKSTREAM")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.honest.close()

    def rounds(self, count: int) -> None:
        """Have so many rounds."""
        for _ in range(count):
            self.round()

    def round(self) -> None:
        """Let a few rude clients come and go; then look whether all is as it should be."""
        orders = [self._order() for _ in range(self._chance.randint(1, 4))]
        chance = Random(self._chance.randrange(2**32))
        self.inputs += len(orders)
        rude: list[Rude] = []
        try:
            for order in orders:
                peer = socket.create_connection(self._address, timeout=PATIENCE)
                rude.append(Rude(peer, *order))
            pump(rude, chance)
        finally:
            for one in rude:
                one.socket.close()
        for one in rude:
            self._note(one)
        until(lambda: self._clients() == 1, "the rude clients to be gone")
        self._work()
        self._check_books()

    def lost(self) -> int:
        """Return how many of the counted pushes that were answered are gone."""
        there = self.kept()
        lost = set(self._answered.items()) - {(payload, number) for number, payload in there}
        assert {payload for _, payload in there} <= self._sent
        assert len(there) == len({payload for _, payload in there})
        return len(lost)

    def kept(self) -> list[tuple[bytes, bytes]]:
        """Return the counted tasks that are there, page by page."""
        found: list[tuple[bytes, bytes]] = []
        start = "-"
        while page := self.honest.call("XRANGE", KEPT, start, "+", "COUNT", 1000):
            found += [(number, fields[1]) for number, fields in page]
            start = f"({found[-1][0].decode()}"
        return found

    def clean(self) -> None:
        """Remove what the rude clients have pushed and nobody holds."""
        for queue in self._rude_queues():
            for key in (queue, queue + b"::dead"):
                for number, _ in self.honest.call("XRANGE", key, "-", "+"):
                    self.honest.call("XDELEX", key, "IDS", 1, number)
            self.honest.call("XTRIM", queue, "MAXLEN", 0)

    def forget(self) -> None:
        """Remove the tasks of this kitchen, so that another one can begin."""
        self.honest.call("XTRIM", HONEST, "MAXLEN", 0)
        for number, _ in self.kept():
            assert self.honest.call("XDELEX", KEPT, "IDS", 1, number) == [1]

    def _order(self) -> tuple[bytes, bytes, bool]:
        """Return what a rude client is to send, its counted payload, and whether it reads."""
        marked = b"%d/%d" % (len(self._sent), self._chance.randrange(2**32))
        self._sent.add(marked)
        made = encode("XADD", KEPT, "*", "payload", marked) + self._cook.meal()
        reads = bool(self._chance.randrange(4))
        if not reads:
            made = made[: self._chance.randint(0, len(made))]
        return made, marked, reads

    def _note(self, one: Rude) -> None:
        """Note what a rude client was answered: first its counted push, then ids to play with."""
        reader = hiredis.Reader(notEnoughData=None)
        reader.feed(bytes(one.read))
        first = reader.gets()
        if isinstance(first, bytes):
            self._answered[one.marked] = first
        with suppress(hiredis.ProtocolError):  # a browser among them is hung up on anywhere
            while (reply := reader.gets()) is not None:
                if isinstance(reply, bytes) and reply[:1].isdigit() and b"-" in reply:
                    self._cook.learn(reply)

    def _work(self) -> None:
        pushed = self.honest.push(HONEST, "x")
        task = self.honest.pop(HONEST)
        assert task is not None
        assert (task.id, task["attempts"]) == (pushed, b"1")
        assert self.honest.call("XACK", HONEST, "g", pushed) == 1
        self._acked += 1

    def _check_books(self) -> None:
        """Check that what the server says of itself fits together, and what it answered."""
        books = self._books(HONEST)
        assert books[b"length"] == books[b"in-flight"] == books[b"dead"] == 0
        assert books[b"done"] == self._acked
        kept = self._books(KEPT)
        assert len(self._answered) <= kept[b"length"] <= len(self._sent)
        for queue in self._rude_queues():
            with self._at_one_moment():
                self.honest.send("XLEN", queue)
                self.honest.send("XINFO", "STREAM", queue)
            length, told = self.honest.reply()
            info = dict(zip(told[::2], told[1::2], strict=True))
            assert info[b"length"] == length == info[b"available"] + info[b"scheduled"]

    @contextmanager
    def _at_one_moment(self) -> Iterator[None]:
        """Have what is sent inside done as one; its replies are the next reply."""
        self.honest.send("MULTI")
        yield
        self.honest.send("EXEC")
        assert self.honest.replies(3) == [b"OK", b"QUEUED", b"QUEUED"]

    def _books(self, queue: str) -> dict[bytes, int]:
        told = self.honest.call("XINFO", "STREAM", queue)
        return dict(zip(told[::2], told[1::2], strict=True))

    def _rude_queues(self) -> list[bytes]:
        known = (KEPT.encode(), HONEST.encode())
        return [name for name in self.honest.call("KEYS", "*") if name not in known]

    def _clients(self) -> int:
        lines = self.honest.call("INFO", "clients").split(b"\r\n")
        (line,) = [line for line in lines if line.startswith(b"connected_clients:")]
        return int(line.partition(b":")[2])


def pump(everyone: Iterable[Rude], chance: Random) -> None:
    """Send what they have to send, a few bytes at a time and in turn, and read what comes."""
    with selectors.DefaultSelector() as selector:
        for one in everyone:
            one.socket.setblocking(False)
            selector.register(one.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, one)
        deadline = time.monotonic() + PATIENCE
        while selector.get_map():
            assert time.monotonic() < deadline, "a rude client was left without an end"
            for key, ready in selector.select(PATIENCE):
                _take_part(selector, key.data, ready, chance)


def _take_part(selector: selectors.DefaultSelector, one: Rude, ready: int, chance: Random) -> None:
    over = False
    try:
        if ready & selectors.EVENT_READ:
            data = one.socket.recv(65536)
            one.read += data
            over = not data
        if ready & selectors.EVENT_WRITE and not over:
            over = _send_some(selector, one, chance)
    except (BlockingIOError, ConnectionError):
        over = True
    if over:
        selector.unregister(one.socket)
        one.socket.close()


def _send_some(selector: selectors.DefaultSelector, one: Rude, chance: Random) -> bool:
    """Send the next few bytes; tell whether the client hangs up with that."""
    if one.rest:
        sent = one.socket.send(one.rest[: chance.choice([1, 7, 100, 5000])])
        one.rest = one.rest[sent:]
        return False
    if one.reads:
        one.socket.shutdown(socket.SHUT_WR)
        selector.modify(one.socket, selectors.EVENT_READ, one)
    return not one.reads


def campaign(seconds: float, *, seed: int = 0) -> Tally:
    """Pour for so long over a server in a process of its own."""
    with tempfile.TemporaryDirectory() as place, _server(Path(place)) as server:
        with Kitchen(server.address, Random(seed)) as kitchen:
            kitchen.round()
            before, rounds, grown = server.memory(), 0, 0
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                _round(kitchen, seed, rounds)
                rounds += 1
                grown = server.memory() - before
                assert grown < MOST_GROWTH, f"grown by {grown} bytes in {rounds} rounds"
            lost = kitchen.lost()
        assert server.stop() == 0
        errors = [line for line in server.log if "error" in line.lower() or "Traceback" in line]
        assert errors == [], errors
    note = f"grown by {grown // 1024} KiB"
    return Tally(operations=rounds * 3, bad_inputs=kitchen.inputs, lost=lost, note=note)


def _round(kitchen: Kitchen, seed: int, number: int) -> None:
    """Have one round, and say which it was where it fails."""
    try:
        kitchen.round()
        if number % ROUNDS_BEFORE_CLEANING == 0:
            kitchen.clean()
    except (AssertionError, ConnectionError, TimeoutError) as error:
        raise AssertionError(f"seed {seed}, round {number}: {error}") from error


def _server(place: Path) -> ServerProcess:
    """Start one whose leases lapse while the soup is poured."""
    return ServerProcess(place, "--visibility-timeout", "1", "--retention-seconds", "3600")

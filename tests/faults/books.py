"""What a server has answered, and whether what is on disk accounts for all of it.

`Books` learns what goes over the wire: each command as it is sent, and again with its reply. Where
the commands come from does not matter, a client in the test or a log of system calls. Afterwards
they are held against the tasks in a database:

- an answered push is there, with its payload; a refused one is not; one whose outcome is unknown is
  there or not; none is there twice, and nothing is there that nobody has pushed;
- a task whose ack was answered is done; one that was handed out has counted the attempt;
- no id was given out twice, and nothing is acknowledged after an outcome was unknown.

Payloads have to be unique.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hiredis

from ezra.sansio.model import Defaults
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.pool import Synchronous
from tests.integration.raw_client import RawClient, Word
from tests.integration.server_process import ServerProcess
from tests.property.fake_clock import FakeClock

WATERMARK = "--min-free-bytes"
NO_WATERMARK = (WATERMARK, "0")
"""The arguments of a server that uses a disk to its end, however small that is."""

Reply = Any
"""As `RawClient` returns it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A task as it is in the database."""

    status: str
    attempts: int
    payload: bytes


def stored(database: Path) -> dict[bytes, Stored]:
    """Look into the file, beside a server in another process or after the end of one: by id."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute(
            "SELECT wire_id, status, attempts, payload FROM tasks JOIN payloads ON task_id = id"
        ).fetchall()
    finally:
        connection.close()
    return {number.encode(): Stored(*rest) for number, *rest in rows}


def integrity(database: Path) -> str:
    """Return what SQLite's own check says: `ok`, or what is wrong."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()


class Books:
    """What was asked and answered, over any number of servers. Any thread may write it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.asked: set[bytes] = set()
        """The payload of each push that was sent."""
        self.pushed: dict[bytes, bytes] = {}
        """By id, the payload of each answered push."""
        self.refused: set[bytes] = set()
        self.claimed: set[bytes] = set()
        self.acked: set[bytes] = set()
        self.unknown = 0
        """Replies that said so."""
        self.operations = 0
        self.slips: list[str] = []
        """What was wrong with the replies themselves."""
        self._failed = False

    def call(self, client: RawClient, *words: Word) -> Reply:
        """Send a command and return its reply, both noted. Raises OSError when the server goes."""
        request = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        late = self.note_asked(request)
        reply = client.call(*words)
        self.note_answered(request, reply, late=late)
        return reply

    def note_asked(self, request: Sequence[bytes]) -> bool:
        """Note a command that is about to be sent; say whether nothing may be acknowledged now."""
        with self._lock:
            if request[0] == b"XADD":
                self.asked.add(_payload(request))
            return self._failed

    def note_answered(self, request: Sequence[bytes], reply: Reply, *, late: bool = False) -> None:
        """Note a command's reply.

        Args:
            request: the command.
            reply: as hiredis reads it.
            late: whether it was sent after some reply that said UNKNOWN.
        """
        with self._lock:
            self.operations += 1
            if isinstance(reply, hiredis.ReplyError):
                self._note_error(request, str(reply))
                return
            if late:
                self.slips.append(f"acknowledged after an UNKNOWN: {request!r}")
            match request[0]:
                case b"XADD":
                    self._note_push(_payload(request), reply)
                case b"XREADGROUP" if reply is not None:
                    self.claimed.update(number for _, tasks in reply for number, _ in tasks)
                case b"XACK" if reply == 1:
                    self.acked.add(request[3])

    def copy(self) -> Books:
        """Return books that say the same and go their own way."""
        other = Books()
        with self._lock:
            other.asked |= self.asked
            other.pushed |= self.pushed
            other.refused |= self.refused
            other.claimed |= self.claimed
            other.acked |= self.acked
        return other

    def new_server(self) -> None:
        """Note that from now on another server answers, which may acknowledge again."""
        with self._lock:
            self._failed = False

    def _note_error(self, request: Sequence[bytes], error: str) -> None:
        if error.startswith("UNKNOWN"):
            self.unknown += 1
            self._failed = True
        elif request[0] == b"XADD":
            self.refused.add(_payload(request))

    def _note_push(self, payload: bytes, number: bytes) -> None:
        if number in self.pushed:
            self.slips.append(f"an id was given out twice: {number!r}")
        self.pushed[number] = payload

    # -- Balancing ---------------------------------------------------------------------------------

    def lost(self, found: Mapping[bytes, Stored]) -> list[str]:
        """Return what was answered and is not so: pushes, acks and claims."""
        with self._lock:
            return list(self._lost(found))

    def problems(self, found: Mapping[bytes, Stored]) -> list[str]:
        """Return everything that does not balance."""
        with self._lock:
            return [*self.slips, *self._lost(found), *self._surplus(found)]

    def _lost(self, found: Mapping[bytes, Stored]) -> Iterator[str]:
        for number, payload in self.pushed.items():
            if number not in found:
                yield f"lost: {number!r} with {payload!r}"
            elif found[number].payload != payload:
                yield f"changed: {number!r} had {payload!r} and has {found[number].payload!r}"
        for number in self.acked & found.keys():
            if found[number].status != "done":
                yield f"an ack was answered, and {number!r} is {found[number].status}"
        for number in self.claimed & found.keys():
            if found[number].attempts == 0:
                yield f"{number!r} was handed out and has no attempt"

    def _surplus(self, found: Mapping[bytes, Stored]) -> Iterator[str]:
        times = Counter(task.payload for task in found.values())
        yield from (f"there {n} times: {payload!r}" for payload, n in times.items() if n > 1)
        yield from (f"from nowhere: {payload!r}" for payload in times.keys() - self.asked)
        yield from (f"refused, and there: {payload!r}" for payload in times.keys() & self.refused)


def start_once(directory: Path, synchronous: Synchronous = "full") -> None:
    """Have EZRA start on what is in a directory, and stop again. Its clock is set back.

    Raises:
        StartError: it refuses to.
    """
    engine = SqliteEngine(directory, Defaults(), FakeClock(), synchronous=synchronous)
    engine.close()


def balance(books: Books, database: Path) -> None:
    """Fail unless the database is sound and accounts for everything in the books."""
    assert integrity(database) == "ok", integrity(database)
    problems = books.problems(stored(database))
    assert not problems, "\n".join(problems[:20])


def work(client: RawClient, books: Books, name: str, rounds: int, filling: bytes = b"") -> None:
    """Push two tasks and take one off, in turn, until the server is gone or the rounds are over.

    Every fourth task that is taken off stays in flight.
    """
    try:
        for count in range(rounds):
            books.call(client, "XADD", "q", "*", "payload", f"<{name}:{count}>".encode() + filling)
            if count % 2:
                _take(client, books, finish=count % 8 != 7)
    except OSError:
        return


def work_together(
    server: ServerProcess, books: Books, clients: int, rounds: int, filling: bytes = b""
) -> None:
    """Have so many clients `work` at once; returns when all of them have ended.

    A server may be worked with several times: the names in the payloads go on.
    """
    first = len(books.asked)
    workers = [
        threading.Thread(target=work, args=(client, books, f"{first}-{number}", rounds, filling))
        for number, client in enumerate([server.client() for _ in range(clients)])
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _take(client: RawClient, books: Books, *, finish: bool) -> None:
    reply = books.call(client, "XREADGROUP", "GROUP", "g", "w", "STREAMS", "q", ">")
    if isinstance(reply, list) and finish:
        [[_, [[number, _]]]] = reply
        books.call(client, "XACK", "q", "g", number)


def _payload(request: Sequence[bytes]) -> bytes:
    return request[request.index(b"payload") + 1]

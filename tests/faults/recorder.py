"""A client that notes everything it does, for the history checker.

One `Recorder` is one producer or worker: it does one thing at a time, and when its connection
breaks it notes that nobody knows, raises `ConnectionError`, and connects anew at the next command.

Where its notes go is a `Notes`: a list, for clients that are threads; or a file, for processes that
are killed. In the file an intent stands before each command, so that a killed one's last command is
known to be unknown.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import hiredis

from ezra.sansio.model import SECOND, pack_id, wire_id
from tests.faults.records import Act, Claim, Deed, Delivery, Push, Record
from tests.integration.raw_client import RawClient, Word, encode

GROUP = "g"

Address = tuple[str, int]


def moment() -> int:
    """Return the present moment in microseconds of the machine's monotonic clock."""
    return time.monotonic_ns() // 1_000


class Notes(Protocol):
    """Where a client writes."""

    def intend(self, records: Sequence[Record]) -> None:
        """Note what is about to be asked."""

    def settle(self, records: Sequence[Record]) -> None:
        """Note what came of it."""


class ListNotes:
    """Notes for clients that are threads. Any of them may write."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def intend(self, records: Sequence[Record]) -> None:
        """A thread is not killed: it will say itself what came of it."""

    def settle(self, records: Sequence[Record]) -> None:
        """Keep them."""
        self.records.extend(records)


class FileNotes:
    """Notes of a client that is a process: each entry is one write, which a kill does not tear."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def intend(self, records: Sequence[Record]) -> None:
        """Note what stands if nothing follows."""
        self._write(False, records)

    def settle(self, records: Sequence[Record]) -> None:
        """Note what came of the last intent."""
        self._write(True, records)

    def _write(self, settled: bool, records: Sequence[Record]) -> None:
        os.write(self._file, pickle.dumps((settled, list(records))))


def read_notes(path: Path, died: int) -> list[Record]:
    """Return what a process noted; what it was about when it died, at that moment, is unknown."""
    records: list[Record] = []
    pending: list[Record] = []
    with path.open("rb") as file:
        while file.peek(1):
            settled, its = pickle.load(file)  # noqa: S301 - written by a process of our own
            records += its if settled else []
            pending = [] if settled else its
    return records + [ended(record, died) for record in pending]


def ended(record: Record, now: int) -> Record:
    """Return the record with another end."""
    return replace(record, ended=now)


class Recorder:
    """One client.

    Args:
        address: asked at each connecting, for a server that starts anew has another port.
        notes: where it writes.
        name: tells its tasks and its claims from all others'.
        lease: the server's visibility timeout, in microseconds.
        connect: makes the connection.
    """

    def __init__(
        self,
        address: Callable[[], Address],
        notes: Notes,
        name: str,
        lease: int,
        connect: Callable[[Address], RawClient] = RawClient,
    ) -> None:
        self.name = name
        self.count = 0
        """How many tasks it has tried to push; what their keys count."""
        self._address = address
        self._notes = notes
        self._lease = lease
        self._connect = connect
        self._client: RawClient | None = None

    def close(self) -> None:
        """Hang up."""
        if self._client:
            self._client.close()
            self._client = None

    def new_key(self) -> str:
        """Return a key that no task has had."""
        self.count += 1
        return f"{self.name}.{self.count}"

    # -- Commands ----------------------------------------------------------------------------------

    def push(
        self, queue: str, key: str, *, size: int = 0, priority: int = 0, delay: int = 0
    ) -> None:
        """Push one task; `delay` in microseconds."""
        push = Push(key, queue, 0, 0, None, priority, delay)
        self._do([push], [_xadd(push, size)], _pushed)

    def push_once(self, queue: str, key: str) -> None:
        """Push under a deduplication key: may be called again with the same one."""
        words = _xadd(Push(key, queue, 0, 0, None), 0)
        words[2:2] = ["IDMP", self.name, key]
        self._do([Push(key, queue, 0, 0, None)], [words], _pushed)

    def push_pair(self, queues: Sequence[str], keys: Sequence[str]) -> None:
        """Push one task to each queue, in one transaction."""
        pushes = [Push(key, q, 0, 0, None) for key, q in zip(keys, queues, strict=True)]
        self._transact(pushes, [_xadd(push, 0) for push in pushes])

    def hand_on(self, queue: str, task: Delivery, to: str, key: str) -> None:
        """Ack a task and push the next, in one transaction."""
        act = Act(Deed.ACK, task.id, self.name, 0, 0, None)
        push = Push(key, to, 0, 0, None)
        words: list[Word] = ["XACK", queue, GROUP, wire_id(task.id)]
        self._transact([act, push], [words, _xadd(push, 0)])

    def claim(self, queue: str, *, count: int = 1, block: int | None = None) -> list[Delivery]:
        """Claim tasks; `block` in milliseconds."""
        waiting = () if block is None else ("BLOCK", block)
        words: list[Word] = ["XREADGROUP", "GROUP", GROUP, self.name, "COUNT", count, *waiting]
        words += ["STREAMS", queue, ">"]
        claim = Claim(queue, self.name, 0, 0, self._lease, None)
        (done,) = self._do([claim], [words], _claimed)
        return list(done.tasks or ()) if isinstance(done, Claim) else []

    def act(self, deed: Deed, queue: str, task: Delivery, *, delay: int = 0) -> None:
        """Ack, nack, release or extend; `delay` of a nack in microseconds."""
        lease = self._lease if deed is Deed.EXTEND else 0
        act = Act(deed, task.id, self.name, 0, 0, None, delay, lease)
        self._do([act], [_deed(act, queue)], _acted)

    # -- How they are noted ------------------------------------------------------------------------

    def _transact(self, records: Sequence[Record], commands: Sequence[list[Word]]) -> None:
        def answered(records: Sequence[Record], replies: Sequence[Any]) -> list[Record]:
            answers = replies[-1]
            if isinstance(answers, hiredis.ReplyError):
                answers = [answers] * len(records)
            return [
                _acted([record], [answer])[0]
                if isinstance(record, Act)
                else _pushed([record], [answer])[0]
                for record, answer in zip(records, answers, strict=True)
            ]

        self._do(records, [["MULTI"], *commands, ["EXEC"]], answered)

    def _do(
        self,
        records: Sequence[Record],
        commands: Sequence[list[Word]],
        answered: Callable[[Sequence[Record], Sequence[Any]], list[Record]],
    ) -> list[Record]:
        """Send the commands together and note what comes of them."""
        if self._client is None:
            self._client = self._connect(self._address())
        begun = moment()
        unknown: list[Record] = [replace(record, begun=begun, ended=begun) for record in records]
        self._notes.intend(unknown)
        try:
            self._client.send_bytes(b"".join(encode(*words) for words in commands))
            replies = self._client.replies(len(commands))
        except OSError as error:
            self._notes.settle([ended(record, moment()) for record in unknown])
            self.close()
            raise ConnectionError(str(error)) from error
        now = moment()
        if is_unknown(replies[-1]):
            self._notes.settle([ended(record, now) for record in unknown])
            raise ConnectionError(str(replies[-1]))
        done = [ended(record, now) for record in answered(unknown, replies)]
        self._notes.settle(done)
        return done


def is_unknown(reply: object) -> bool:
    """Tell whether the reply says that nobody knows the outcome."""
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("UNKNOWN")


def _xadd(push: Push, size: int) -> list[Word]:
    """Return the command that pushes; the payload is the key, and as much more."""
    words: list[Word] = ["XADD", push.queue, "*", "payload", f"{push.key}:{'x' * size}"]
    if push.priority:
        words += ["priority", push.priority]
    if push.delay:
        words += ["delay", f"{push.delay / SECOND:.6f}"]
    return words


def _deed(act: Act, queue: str) -> list[Word]:
    number = wire_id(act.id)
    match act.deed:
        case Deed.ACK:
            return ["XACK", queue, GROUP, number]
        case Deed.NACK:
            delay: list[Word] = ["DELAY", f"{act.delay / SECOND:.6f}"] if act.delay else []
            return ["XNACK", queue, GROUP, "FAIL", "IDS", 1, number, *delay]
        case Deed.RELEASE:
            return ["XNACK", queue, GROUP, "SILENT", "IDS", 1, number]
        case Deed.EXTEND:
            return ["XCLAIM", queue, GROUP, act.worker, 0, number, "JUSTID"]


def _pushed(records: Sequence[Record], replies: Sequence[Any]) -> list[Record]:
    [push], [reply] = records, replies
    assert isinstance(push, Push)
    if isinstance(reply, hiredis.ReplyError):
        return [replace(push, refused=True)]
    return [replace(push, id=packed(reply))]


def _claimed(records: Sequence[Record], replies: Sequence[Any]) -> list[Record]:
    [claim], [reply] = records, replies
    assert isinstance(claim, Claim)
    assert not isinstance(reply, hiredis.ReplyError), reply
    tasks = tuple(delivery(*entry) for _, entries in reply or () for entry in entries)
    return [replace(claim, tasks=tasks)]


def _acted(records: Sequence[Record], replies: Sequence[Any]) -> list[Record]:
    [act], [reply] = records, replies
    assert isinstance(act, Act)
    assert not isinstance(reply, hiredis.ReplyError), reply
    return [replace(act, counted=bool(reply))]


def delivery(number: bytes, fields: Sequence[bytes]) -> Delivery:
    """Return a task as it came over the wire."""
    by_name = dict(zip(fields[::2], fields[1::2], strict=True))
    return Delivery(*identity(number, fields), int(by_name[b"attempts"]))


def identity(number: bytes, fields: Sequence[bytes]) -> tuple[int, str]:
    """Return a task's id, and the key that its payload carries."""
    payload = fields[fields.index(b"payload") + 1]
    return packed(number), payload.partition(b":")[0].decode()


def packed(number: bytes) -> int:
    """Return an id of the wire as one integer."""
    milliseconds, sequence = map(int, number.split(b"-"))
    return pack_id(milliseconds, sequence)

"""No reply before its fsync: told from the record of a server's system calls.

What a commit writes goes to the WAL as frames, each a header of 24 bytes and a page; the header of
a commit's last frame says how many pages the database has, all others say 0. A commit is durable
when a sync of the WAL has ended that began after its last frame was written. Two rules follow:

- A reply that names a task's id begins after the commit that has the task's payload is durable.
- Whatever reports a change (a push, a claim, an ack) is answered only after some commit has been
  written and become durable, all since the command was received.
"""

from __future__ import annotations

import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import hiredis

from tests.faults.altered import VARIABLE
from tests.faults.books import Books, work_together
from tests.faults.strace import NEVER, Call, Exchange, exchanges, missing, read_log, recording
from tests.faults.tally import Tally
from tests.integration.server_process import ServerProcess

FRAME_HEADER = 24


@dataclass(frozen=True, slots=True)
class Commit:
    """One transaction in the WAL."""

    begun: int
    """When the write of its first frame began."""
    durable: int
    """When the sync had ended that made it durable; `NEVER` if none did."""
    content: bytes


def commits(calls: Sequence[Call]) -> list[Commit]:
    """Return every commit in the record, in their order."""
    wal = [call for call in calls if call.target.endswith("ezra.db-wal")]
    syncs = [call for call in wal if call.name in ("fdatasync", "fsync")]
    return [_commit(frames, syncs) for frames in _transactions(wal)]


def _transactions(wal: Sequence[Call]) -> Iterator[list[Call]]:
    """Yield the writes of each transaction."""
    frames: list[Call] = []
    for header, page in pairwise([call for call in wal if call.name == "pwrite64"]):
        if len(header.data) != FRAME_HEADER or header.number + FRAME_HEADER != page.number:
            continue
        frames += [header, page]
        if header.data[4:8] != bytes(4):
            yield frames
            frames = []


def _commit(frames: Sequence[Call], syncs: Sequence[Call]) -> Commit:
    written = max(call.ended for call in frames)
    durable = min((sync.ended for sync in syncs if sync.begun > written), default=NEVER)
    content = b"".join(page.data for page in frames[1::2])
    return Commit(frames[0].begun, durable, content)


def early_replies(calls: Sequence[Call]) -> list[str]:
    """Return what was answered too early, in words; nothing if all is well."""
    found = commits(calls)
    told = exchanges(calls)
    return [*_by_payload(calls, found, told), *_by_time(found, told)]


def _by_payload(
    calls: Sequence[Call], found: Sequence[Commit], told: Sequence[Exchange]
) -> Iterator[str]:
    """Hold every mention of an id against the commit that has its payload."""
    sends = [call for call in calls if call.name == "sendto"]
    for push in told:
        if push.request[0] != b"XADD" or not isinstance(push.reply, bytes):
            continue
        payload = push.request[push.request.index(b"payload") + 1]
        durable = min((each.durable for each in found if payload in each.content), default=NEVER)
        mentioned = min(call.begun for call in sends if push.reply in call.data)
        if mentioned <= durable:
            yield f"{push.reply!r} was named at {mentioned}, {payload!r} was durable at {durable}"


def _by_time(found: Sequence[Commit], told: Sequence[Exchange]) -> Iterator[str]:
    """Hold every answered change against the commits since it was asked for."""
    begun = [commit.begun for commit in found]
    for each in told:
        if _reports_change(each):
            since = found[bisect_left(begun, each.asked) :]
            if not any(commit.durable < each.answered for commit in since):
                yield f"{each.request[0]!r} was answered at {each.answered} without a commit"


def _reports_change(exchange: Exchange) -> bool:
    if isinstance(exchange.reply, hiredis.ReplyError):
        return False
    match exchange.request[0]:
        case b"XADD" | b"XREADGROUP":
            return exchange.reply is not None
        case b"XACK":
            return bool(exchange.reply == 1)
    return False


# -- A server to look at ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Watched:
    """What a server has done under load."""

    early: list[str]
    pushes: int
    operations: int
    syncs: int
    """Of the WAL, while it was under load."""


def watch(folder: Path, clients: int, rounds: int, altered: str = "") -> Watched:
    """Have a server answer so many clients at once, and look at the order of what it did.

    Args:
        folder: where the data and the log go.
        clients: how many.
        rounds: pushes of each.
        altered: what is changed in the server, as `altered` reads it.
    """
    log, books = folder / "log", Books()
    with ServerProcess(
        folder / "data",
        under=recording(log),
        module="tests.faults.altered",
        variables={VARIABLE: altered},
    ) as server:
        work_together(server, books, clients, rounds)
        assert server.stop() == 0, server.log
    calls = read_log(log)
    log.unlink()
    asked = [each.asked for each in exchanges(calls)]
    syncs = sum(
        call.name in ("fdatasync", "fsync") and call.target.endswith("-wal")
        for call in calls
        if min(asked) < call.begun < max(asked)
    )
    return Watched(early_replies(calls), len(books.pushed), books.operations, syncs)


def campaign(seconds: float) -> Tally:
    """Watch server after server, with more clients each time; then one that replies early."""
    if reason := missing():
        return Tally(note=f"order of replies: {reason}")
    operations = 0
    until = time.monotonic() + seconds
    clients = 1
    while time.monotonic() < until:
        with tempfile.TemporaryDirectory() as folder:
            watched = watch(Path(folder), clients, 40)
        assert not watched.early, watched.early[:5]
        operations += watched.operations
        clients = clients % 32 + 3
    with tempfile.TemporaryDirectory() as folder:
        caught = watch(Path(folder), 4, 20, "early_reply=1")
    assert caught.early, "early replies were not noticed"
    note = f"the control, a server that replies early, was caught {len(caught.early)} times"
    return Tally(operations=operations, note=note)

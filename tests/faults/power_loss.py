"""The power goes, modelled: every moment of a recorded server, and what a disk may be left with.

A real server works under strace, which writes down each of its writes and syncs and what it has
answered: it makes its database, is killed, recovers, goes on and is stopped in order,
with a checkpoint every few dozen pages. Each of these moments can be the one at which the power
goes. `Disk` says what may be found afterwards; EZRA's own engine starts on that, with a clock that
was set back, and has to account for everything that had been answered by then.

With `synchronous` NORMAL and OFF the same has to show losses, or it would show nothing.
"""

from __future__ import annotations

import logging
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ezra.sansio.model import SEQUENCE_BITS, Defaults
from ezra.threaded.sqlite.database import DATABASE_FILE
from ezra.threaded.sqlite.engine import SqliteEngine
from ezra.threaded.sqlite.pool import Synchronous
from tests.faults.altered import VARIABLE
from tests.faults.books import Books, integrity, stored, work_together
from tests.faults.disk import Contents, Disk, lay_out, quick_folder
from tests.faults.strace import (
    DISK,
    NEVER,
    SOCKET,
    Call,
    Exchange,
    exchanges,
    missing,
    read_log,
    recording,
)
from tests.faults.tally import Tally
from tests.integration.server_process import ServerProcess
from tests.property.fake_clock import FakeClock
from tests.property.sqlite_worlds import push

CLIENTS = 4
ROUNDS = 12
"""Pushes of each client of each server."""
CHECKPOINT_PAGES = 40

OFTEN = f"checkpoint_pages={CHECKPOINT_PAGES}"
OFF = f"{OFTEN} synchronous=0"

AGAIN = b"<pushed after the power came back>"


@dataclass(frozen=True, slots=True)
class Recording:
    """What some servers did, one after the other in the same directory."""

    directory: Path
    calls: list[Call]
    """What they asked of the disk, in the order in which it was done."""
    exchanges: list[Exchange]
    synchronous: Synchronous
    """What they were told."""


def record(folder: Path, altered: str = OFTEN, synchronous: Synchronous = "full") -> Recording:
    """Have two servers work, the first of which is killed; return what they did.

    Args:
        folder: where the data and the logs go.
        altered: what is changed in them, as `altered` reads it.
        synchronous: as a person would set it.
    """
    directory = folder / "data"
    calls: list[Call] = []
    told = Books()  # for the names only: what counts is what the log says
    for number in range(2):
        log = folder / f"log-{number}"
        with ServerProcess(
            directory,
            "--synchronous",
            synchronous,
            under=recording(log),
            module="tests.faults.altered",
            variables={VARIABLE: altered},
        ) as server:
            work_together(server, told, CLIENTS, ROUNDS)
            if number == 0:
                server.kill()
            else:
                assert server.stop() == 0, server.log
        calls += _later(read_log(log), number)
        log.unlink()
    disk_calls = [call for call in calls if call.name in DISK]
    assert all(call.ended < NEVER for call in disk_calls), "it was killed while it wrote"
    return Recording(
        directory, sorted(disk_calls, key=lambda call: call.ended), exchanges(calls), synchronous
    )


def record_normal(folder: Path) -> Recording:
    """Record servers that sync at checkpoints only, as one may ask EZRA to."""
    return record(folder, synchronous="normal")


def record_off(folder: Path) -> Recording:
    """Record servers that never sync, which EZRA does not offer."""
    return record(folder, OFF)


def _later(calls: Sequence[Call], number: int) -> list[Call]:
    """Return the calls of the n-th server, with their moments behind those of all before.

    Its sockets are told from those of the others.
    """
    shift = number * 10**9
    return [
        replace(
            call,
            target=f"{number} {call.target}" if call.name in SOCKET else call.target,
            begun=call.begun + shift,
            ended=call.ended + shift,
        )
        for call in calls
    ]


# -- The moments -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Crash:
    """One moment, and one content of the disk after it."""

    contents: Contents
    books: Books
    """What had been asked and answered. They go on: look at once."""
    synchronous: Synchronous
    """What EZRA starts with again."""


def crashes(recorded: Recording, rng: random.Random, states: int) -> Iterator[Crash]:
    """Yield so many crashes, at moments chosen evenly, in the order of these."""
    disk, books = Disk(recorded.directory), Books()
    chosen = Counter(rng.choices(range(len(recorded.calls)), k=states))
    waiting = iter([*recorded.exchanges, None])
    coming = next(waiting)
    for request in recorded.exchanges:
        books.note_asked(request.request)
    for number, call in enumerate(recorded.calls):
        while coming is not None and coming.answered < call.ended:
            books.note_answered(coming.request, coming.reply)
            coming = next(waiting)
        disk.apply(call)
        for _ in range(chosen[number]):
            yield Crash(_contents(disk, rng), books, recorded.synchronous)


def _contents(disk: Disk, rng: random.Random) -> Contents:
    share = rng.random()
    if share < 0.15:
        return disk.least()
    return disk.most() if share < 0.2 else disk.after(rng)


# -- What is found after it ------------------------------------------------------------------------


@dataclass(slots=True)
class Findings:
    """What came of some crashes."""

    states: int = 0
    refused: int = 0
    """Starts that EZRA refused, or in which it broke down."""
    corrupt: int = 0
    losing: int = 0
    """States in which something that had been answered was gone."""
    unbalanced: int = 0
    """States with anything else that the books do not account for, or an id given out again."""
    first: str = ""
    """The first of all these."""

    def note(self, what: str, text: object) -> None:
        """Count a finding."""
        setattr(self, what, getattr(self, what) + 1)
        self.first = self.first or f"{what}: {text}"

    @property
    def sound(self) -> bool:
        """Whether there is nothing but states in which all was well."""
        return not (self.refused or self.corrupt or self.losing or self.unbalanced)


def examine(crash: Crash, directory: Path, findings: Findings) -> None:
    """Start EZRA on what is left, and compare it with the books."""
    findings.states += 1
    lay_out(crash.contents, directory)
    database = directory / DATABASE_FILE
    try:
        with closing(
            SqliteEngine(directory, Defaults(), FakeClock(), synchronous=crash.synchronous)
        ) as engine:
            number = push(engine, payload=AGAIN)
    except Exception as error:
        # Whatever it is: the tasks are out of reach.
        findings.note("refused", repr(error))
        return
    sound = integrity(database)
    if sound != "ok":
        findings.note("corrupt", sound)
        return
    found = stored(database)
    books = crash.books
    again = b"%d-%d" % divmod(number, 1 << SEQUENCE_BITS)
    assert found.pop(again).payload == AGAIN
    if lost := books.lost(found):
        findings.note("losing", lost)
    elif problems := books.problems(found):
        findings.note("unbalanced", problems)
    elif again in books.pushed:
        findings.note("unbalanced", f"the id {again!r} was given out again")


def survey(recorded: Recording, seed: int, states: int) -> Findings:
    """Examine so many crashes of a recording."""
    findings = Findings()
    with tempfile.TemporaryDirectory(dir=quick_folder()) as directory:
        for crash in crashes(recorded, random.Random(seed), states):
            examine(crash, Path(directory), findings)
    return findings


def check_full(findings: Findings) -> None:
    """Fail if anything was found."""
    assert findings.sound, findings


def check_normal(findings: Findings) -> None:
    """Fail unless commits were lost, and nothing else was wrong."""
    assert findings.losing, f"the control loses nothing: {findings}"
    assert not findings.corrupt, findings
    assert not findings.refused, findings


def check_off(findings: Findings) -> None:
    """Fail unless databases were broken or commits were lost."""
    assert findings.losing, f"the control loses nothing: {findings}"
    assert findings.corrupt or findings.refused, f"the control breaks nothing: {findings}"


def campaign(seconds: float) -> Tally:
    """Record anew and survey, for so long; then the controls."""
    if reason := missing():
        return Tally(note=f"power loss: {reason}")
    logging.getLogger("ezra").addHandler(logging.NullHandler())  # it would have much to say
    total = 0
    seed = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        seed += 1
        findings = _survey_new(record, seed, 300)
        check_full(findings)
        total += findings.states
    normal, off = _survey_new(record_normal, seed, 200), _survey_new(record_off, seed, 200)
    check_normal(normal)
    check_off(off)
    controls = (
        f"NORMAL lost in {normal.losing} of {normal.states} states; "
        f"OFF in {off.losing}, and broke {off.corrupt + off.refused}"
    )
    return Tally(faults=total, note=controls)


def _survey_new(recorder: Callable[[Path], Recording], seed: int, states: int) -> Findings:
    folder = Path(tempfile.mkdtemp())
    try:
        return survey(recorder(folder), seed, states)
    finally:
        shutil.rmtree(folder)

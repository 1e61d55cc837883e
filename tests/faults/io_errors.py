"""The N-th access to the disk fails, for every N, once and for ever.

    python -m tests.faults.io_errors short|every      (with `faulty_calls`; see `loop`)

A process of its own has `faulty_calls.c` before its libc, and in it a server is started, worked
with over the wire and stopped, while one system call goes wrong: the first, the second and so on
until none is left to go wrong. Each time it begins with a new directory, or with one that a killed
server has left, and a checkpoint comes every few pages, so every access there is has its turn.
Afterwards the disk is sound again, EZRA starts, and the books have to balance:

- what was answered is there; what was UNKNOWN is there or not; what was refused is not;
- after an UNKNOWN nothing is acknowledged; a start that fails says so in one line;
- of a full disk the server recovers by itself as soon as there is space.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ezra.sansio.errors import EngineError, StartError
from ezra.threaded.clock import SystemClock
from ezra.threaded.settings import Settings
from ezra.threaded.sqlite.database import DATABASE_FILE
from tests.faults.altered import VARIABLE, alter
from tests.faults.books import Books, balance, start_once, work
from tests.faults.disk import quick_folder
from tests.faults.tally import Tally
from tests.integration.local_server import LocalServer

SOURCE = Path(__file__).with_name("faulty_calls.c")
ROUNDS = 6
OFTEN = "checkpoint_pages=24"
SHORT = "short"


STRIDES = {"pwrite64": 23, "fdatasync": 7, "ftruncate": 1, "pread64": 29}
"""In the short version, from which N to the next. Bringing a new database's WAL into its file takes
25 writes, so one of them is among those that fail."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Which call goes wrong, and how."""

    call: str
    error: int
    for_ever: bool
    fresh: bool
    """Whether in a new directory, or in one that a killed server has left."""

    def __str__(self) -> str:
        """Name it, for the report."""
        where = "new" if self.fresh else "left behind"
        often = "for ever" if self.for_ever else "once"
        return f"{self.call} {errno.errorcode[self.error]} {often}, {where}"


FAULTS = [
    Fault(call, error, for_ever, fresh)
    for call, error in (
        ("pwrite64", errno.EIO),
        ("pwrite64", errno.ENOSPC),
        ("fdatasync", errno.EIO),
        ("fdatasync", errno.ENOSPC),
        ("ftruncate", errno.EIO),
        ("ftruncate", errno.ENOSPC),
        ("pread64", errno.EIO),
    )
    for for_ever in (False, True)
    for fresh in (False, True)
]


class Disk:
    """The accesses of this process to the disk."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)

    def arm(self, fault: Fault, number: int) -> None:
        """Have the n-th access of that kind fail."""
        name = fault.call.encode()
        self._library.faulty_arm(name, ctypes.c_long(number), fault.error, int(fault.for_ever))

    def disarm(self) -> int:
        """Have none fail any more; return how many did."""
        return int(self._library.faulty_disarm())


@dataclass(frozen=True, slots=True)
class Left:
    """A directory as a killed server has left it, with its books."""

    directory: Path
    books: Books

    def begin(self, directory: Path, *, fresh: bool) -> Books:
        """Make the directory for a run, and return the books that it begins with."""
        if fresh:
            directory.mkdir()
            return Books()
        shutil.copytree(self.directory, directory)
        return self.books.copy()


def leave(folder: Path) -> Left:
    """Let a server work, and keep what its files are while it runs."""
    directory, books = folder / "running", Books()
    with LocalServer(_settings(directory), SystemClock()) as server:
        work(server.client(), books, "before", 2 * ROUNDS)
        kept = folder / "left"
        kept.mkdir()
        for name in (DATABASE_FILE, DATABASE_FILE + "-wal"):
            shutil.copy(directory / name, kept / name)
    return Left(kept, books)


def _settings(directory: Path) -> Settings:
    return Settings(data_dir=directory, port=0, min_free_bytes=0)


@dataclass(slots=True)
class Outcome:
    """What came of the runs of a loop."""

    runs: int = 0
    operations: int = 0
    unknown: int = 0
    refused_starts: int = 0
    failed_ends: int = 0
    """Servers that said at their end that they could not put everything in order."""
    recovered: int = 0
    """Runs in which the disk was full, and the same server went on when it was not any more."""
    reached: int = 0
    """The highest N at which something still failed."""

    def add(self, other: Outcome) -> None:
        """Add what came of others."""
        self.runs += other.runs
        self.operations += other.operations
        self.unknown += other.unknown
        self.refused_starts += other.refused_starts
        self.failed_ends += other.failed_ends
        self.recovered += other.recovered
        self.reached = max(self.reached, other.reached)


def run(disk: Disk, fault: Fault, number: int, directory: Path, books: Books) -> Outcome:
    """Have one access go wrong, and balance the books. `reached` is 0 when there was no such."""
    outcome = Outcome(runs=1)
    disk.arm(fault, number)
    try:
        refusal = _serve(disk, fault, directory, books, outcome)
    finally:
        outcome.reached = number if disk.disarm() else 0
    if refusal is not None:
        assert str(directory) in refusal, refusal
        assert "\n" not in refusal
        outcome.refused_starts = 1
    after = directory.with_name(directory.name + "-after")
    # A copy, as another process would find it: this one may still have the files open.
    shutil.copytree(directory, after, ignore=shutil.ignore_patterns("*-shm"))
    start_once(after)
    balance(books, after / DATABASE_FILE)
    shutil.rmtree(after)
    if not outcome.reached:
        assert not books.unknown
        assert not books.refused
    outcome.operations, outcome.unknown = books.operations, books.unknown
    return outcome


def _serve(disk: Disk, fault: Fault, directory: Path, books: Books, outcome: Outcome) -> str | None:
    """Work with a server whose disk is faulty, from its start to its end; or return its refusal."""
    try:
        serving = LocalServer(_settings(directory), SystemClock())
    except StartError as error:
        return str(error)
    try:
        with serving as server:
            _work(server, disk, fault, books, outcome)
    except EngineError:
        outcome.failed_ends = 1
    return None


def _work(server: LocalServer, disk: Disk, fault: Fault, books: Books, outcome: Outcome) -> None:
    work(server.client(), books, f"during {fault.call}", ROUNDS)
    if fault.error == errno.ENOSPC and fault.for_ever and not books.unknown:
        was_full = disk.disarm() > 0
        work(server.client(), books, "afterwards", 1)
        assert b"<afterwards:0>" in books.pushed.values(), "it did not recover by itself"
        outcome.recovered = int(was_full)


def runs(*, short: bool) -> Iterator[tuple[Fault, Outcome]]:
    """Go through all the faults; yield what came of each.

    Args:
        short: whether to leave out most N, and to fail for ever on what a killed server has left
            only.
    """
    disk = Disk()
    with tempfile.TemporaryDirectory(dir=quick_folder()) as folder:
        left, names = leave(Path(folder)), itertools.count()
        for fault in (each for each in FAULTS if not (short and each.fresh and each.for_ever)):
            total = Outcome()
            for number in itertools.count(1, STRIDES[fault.call] if short else 1):
                # A name of its own for each, so that what is left of one cannot harm another.
                directory = Path(folder) / f"data-{next(names)}"
                books = left.begin(directory, fresh=fault.fresh)
                try:
                    outcome = run(disk, fault, number, directory, books)
                except BaseException as error:
                    error.add_note(f"at N = {number} of {fault}")
                    raise
                shutil.rmtree(directory)
                total.add(outcome)
                if not outcome.reached:
                    break
            yield fault, total


# -- In a process of its own -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all the loops."""

    total: Outcome
    reached: dict[str, int]
    """By fault, the highest N at which it still happened."""


def missing() -> str:
    """Return why no system call can be made to fail here; empty when it can."""
    return "" if shutil.which("gcc") else "gcc is not installed"


def loop(*, short: bool) -> Report:
    """Run all the loops in a process whose system calls can be made to fail.

    Raises:
        AssertionError: something did not balance; with what that process said.
    """
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "faulty_calls.so"
        subprocess.run(
            ["gcc", "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True
        )
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.faults.io_errors",
                SHORT if short else "every",
            ],
            env=os.environ | {"LD_PRELOAD": str(library), VARIABLE: OFTEN},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    return Report(Outcome(**report["total"]), report["reached"])


def campaign(_: float) -> Tally:
    """Every N of every fault, however long that takes: some minutes."""
    if reason := missing():
        return Tally(note=f"I/O errors: {reason}")
    report = loop(short=False)
    total = report.total
    note = (
        f"N up to {total.reached}, {total.unknown} replies UNKNOWN, {total.refused_starts} starts "
        f"refused, {total.recovered} recoveries from a full disk"
    )
    return Tally(faults=total.runs, operations=total.operations, note=note)


def main(extent: str) -> None:
    """Run the loops in this process, and print what came of them as JSON."""
    alter()
    logging.getLogger("ezra").addHandler(logging.NullHandler())  # it would have much to say
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # what has failed may stay open
    total = Outcome()
    reached = {}
    for fault, outcome in runs(short=extent == SHORT):
        reached[str(fault)] = outcome.reached
        total.add(outcome)
    print(json.dumps({"total": asdict(total), "reached": reached}))


if __name__ == "__main__":
    main(sys.argv[1])

"""What a start looks at before anything is changed: is it ours, is it whole, is its log whole.

The order matters. The header is read as plain bytes, for SQLite writes beside a file by merely
opening it. The files beside it come next, for SQLite ignores a log whose header is damaged. Only
then it is opened, reading only; how far SQLite reads the log is held against what is in it
(`tail`), and the pages against each other (`quick_check`).
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ezra.sansio.errors import StartError
from ezra.threaded.sqlite import faults, probe, tail
from ezra.threaded.sqlite.index import Index, read_index
from ezra.threaded.sqlite.place import check_no_journal
from ezra.threaded.sqlite.probe import companion, size_of
from ezra.threaded.sqlite.schema import check_identity
from ezra.threaded.sqlite.tail import Findings, Tail
from ezra.threaded.sqlite.wal import HEADER_SIZE, open_wal

_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100
_PAGE_SIZE_AT = 16
_READ_VERSION_AT = 19
_CHANGES_AT = 24
_PAGES_AT = 28
_VERSION_AT = 60
_APPLICATION_AT = 68
_PAGES_VALID_AT = 92
_WAL_MODE = 2


@dataclass(frozen=True, slots=True)
class Header:
    """What a database's first bytes say."""

    page_size: int
    pages: int
    """How many there were when this was written; 0 where it does not say for certain."""
    in_wal_mode: bool
    application_id: int
    version: int


class Damage(Exception):
    """A file is not what was written. The text says which and how; nothing was changed."""

    def __init__(
        self, path: Path, what: str, findings: Findings | None = None, *, ahead: bool = False
    ) -> None:
        super().__init__(f"{path} {what}")
        self.path = path
        self.findings = findings
        """What neither SQLite reads nor the database has, where that is known."""
        self.ahead = ahead
        """Whether the database has more than what is left of the log, for certain."""


def read_header(path: Path) -> Header:
    """Read a database's header as bytes and check whose it is.

    Raises:
        StartError: it is no SQLite database, not EZRA's, or a newer EZRA's.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_SIZE)
    if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC):
        raise StartError(
            f"{path} is not an SQLite database and was left as it is; "
            "choose another data directory, or move that file away"
        )
    found = Header(
        page_size=_page_size(_number(header, _PAGE_SIZE_AT, 2)),
        pages=_pages(header),
        in_wal_mode=header[_READ_VERSION_AT] == _WAL_MODE,
        application_id=_number(header, _APPLICATION_AT, 4),
        version=_number(header, _VERSION_AT, 4),
    )
    check_identity(found.application_id, found.version, path)
    return found


@contextmanager
def inspected(
    path: Path, *, fsynced: bool = True, busy_timeout: int = 0
) -> Iterator[tuple[sqlite3.Connection, Findings]]:
    """Look at a database that no server has open, up to the end of its log; leave it as it is.

    Args:
        path: the database.
        fsynced: as for `inspect_tail`.
        busy_timeout: milliseconds to wait for another program's lock.

    Yields:
        A connection that reads only, for whoever wants to look at more, and what is behind the last
        commit of the log.

    Raises:
        StartError: it is not ours, or not all of it is there.
        Damage: it is not what was written; also what SQLite finds malformed within the `with`.
    """
    promised = inspect_files(path, read_header(path), fsynced=fsynced)
    with (
        probe.left_as_found(path),
        malformed_is_damage(path),
        probe.reading(path, busy_timeout=busy_timeout) as connection,
    ):
        yield connection, inspect_tail(connection, path, promised, fsynced=fsynced)


def inspect_files(path: Path, header: Header, *, fsynced: bool = True) -> Index | None:
    """See that a database's files are whole and belong together, as far as their headers tell.

    Before SQLite opens it: that makes the index anew, which may prove that the log was longer.

    Args:
        path: the database.
        header: the database's.
        fsynced: as for `inspect_tail`.

    Returns:
        The log's index, which tells how many frames the log must have; None where it proves
        nothing.

    Raises:
        StartError: the log, or the database that it belonged to, is not there any more; or there
            is a log of another kind.
        Damage: the log's header is not what was written, or the end of a file is missing.
    """
    check_no_journal(path)
    log = companion(path, "-wal")
    index = read_index(companion(path, "-shm"))
    if not log.exists():
        _check_not_lost(path, log, index)
    if size_of(log) <= HEADER_SIZE:
        _check_length(path, header)
        return _promised_beyond_header(log, index, fsynced=fsynced)
    if not header.in_wal_mode:
        raise StartError(
            f"{log} belongs to another database: {path} has never had one. "
            "Was a backup put in the place of a database, and its log left there? "
            f"Move {log} and {companion(path, '-shm')} away"
        )
    with log.open("rb") as file:
        wal = open_wal(file)
    if wal is None:
        raise Damage(log, "is damaged in its header: SQLite would ignore all that is in it")
    if wal.page_size != header.page_size:
        raise Damage(log, f"has pages of {wal.page_size} bytes, the database of {header.page_size}")
    if index is None or index.salts != wal.salts:
        return None
    if fsynced and wal.whole_frames < index.frames:
        raise _cut_off(log, index, wal.whole_frames)
    return index


def inspect_tail(
    connection: sqlite3.Connection, path: Path, promised: Index | None, *, fsynced: bool
) -> Findings:
    """Hold how far SQLite reads the log against what is in it.

    Args:
        connection: reads only.
        path: the database.
        promised: what `inspect_files` has returned.
        fsynced: whether each commit was fsynced before the next. Otherwise a power loss may have
            torn any of them, and nothing is damage for certain.

    Raises:
        Damage: there are commits behind a damaged frame, or the last of them are not there.
    """
    log = companion(path, "-wal")
    committed, findings = _examine(connection, path)
    if findings.tail is not Tail.DAMAGED:
        if promised is None or committed >= promised.frames:
            return findings
        if fsynced:
            raise _cut_off(log, promised, committed)
        return Findings(Tail.TORN, committed + 1, promised.frames - committed)
    if not fsynced:
        return Findings(Tail.TORN, findings.bad, findings.frames, findings.commits)
    raise Damage(
        log,
        f"is damaged at frame {findings.bad}: SQLite would drop {count_lost(findings)} without "
        "a word",
        findings,
    )


def count_lost(findings: Findings) -> str:
    """Return in words what SQLite leaves out."""
    if not findings.commits:
        return f"{findings.frames} frames"
    return f"{findings.frames} frames with the ends of {findings.commits} transactions"


def inspect_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Check the database's structure; reads all of it.

    Raises:
        StartError: the log says that it is not EZRA's, or a newer one's.
        Damage: it is malformed.
    """
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    check_identity(application_id, version, path)
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise Damage(path, f"is damaged: {' '.join(found.split())}")


@contextmanager
def malformed_is_damage(path: Path) -> Iterator[None]:
    """Have what SQLite itself calls malformed be `Damage`, from its opening on."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not faults.is_malformed(error):
            raise
        raise Damage(path, f"is damaged: {error}") from error


def way_on(damage: Damage, directory: Path) -> str:
    """Return what a person can do about it."""
    command = f"python -m ezra recover -d {shlex.quote(str(directory))}"
    return (
        "put a backup in its place (an empty directory with the backup as ezra.db), or have "
        f"`{command}` save what can be saved"
        if damage.path.name.endswith("-wal")
        else f"put a backup in its place, or try `{command}`; where that finds nothing sound, the "
        ".recover command of the sqlite3 shell saves single rows"
    )


def _examine(connection: sqlite3.Connection, path: Path) -> tuple[int, Findings]:
    """Return how many frames SQLite reads, and what is behind them."""
    log = companion(path, "-wal")
    size = size_of(log)
    if size < HEADER_SIZE:
        return 0, Findings(Tail.TORN if size else Tail.CLEAN, bad=1 if size else 0)
    committed = probe.frames_read(connection, path)
    with log.open("rb", buffering=0) as file:
        wal = open_wal(file)
        return committed, Findings(Tail.CLEAN) if wal is None else tail.examine(wal, committed)


def _promised_beyond_header(log: Path, index: Index | None, *, fsynced: bool) -> Index | None:
    """As `inspect_files`, for a log that is there and has no frame.

    What was in it may be in the database, and it was cut off then: see `checkpoints.make_empty`.
    """
    if index is None or not index.unwritten or not log.exists():
        return None
    with log.open("rb") as file:
        wal = open_wal(file)
    if wal is not None and wal.salts != index.salts:
        return None
    if fsynced:
        raise _cut_off(log, index, 0)
    return index


def _cut_off(log: Path, index: Index, left: int) -> Damage:
    ahead = left < index.brought_in
    drop = "take the database back to them" if ahead else "drop the others"
    return Damage(
        log,
        f"has lost its end: by its index {index.frames} frames of it were committed, and {left} "
        f"can be read: SQLite would {drop} without a word",
        Findings(Tail.DAMAGED, left + 1, index.frames - max(left, index.brought_in)),
        ahead=ahead,
    )


def _check_length(path: Path, header: Header) -> None:
    """See that a database without a log has all the pages of which its header tells.

    With a log it may have fewer: a checkpoint writes the first page, and may be cut off before the
    last. The log is emptied only after all were fsynced.
    """
    size, whole = path.stat().st_size, header.pages * header.page_size
    if size < whole:
        raise Damage(path, f"is damaged: {size} bytes are left of {whole}, its end is missing")


def _check_not_lost(path: Path, log: Path, index: Index | None) -> None:
    if index is not None and index.unwritten:
        raise StartError(
            f"{log} is missing: {index.unwritten} frames of it were not in {path} yet. Bring it "
            f"back; or remove {companion(path, '-shm')} to go on without what was in it"
        )


def _pages(header: bytes) -> int:
    """Return the number of pages, unless a program has written that does not keep it."""
    if header[_CHANGES_AT : _CHANGES_AT + 4] != header[_PAGES_VALID_AT : _PAGES_VALID_AT + 4]:
        return 0
    return _number(header, _PAGES_AT, 4)


def _page_size(number: int) -> int:
    return 65_536 if number == 1 else number  # which does not fit into two bytes


def _number(header: bytes, at: int, size: int) -> int:
    return int.from_bytes(header[at : at + size], "big")

"""What an exception from the database means: whose fault it is, and what may go on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ezra.sansio.errors import (
    CommandError,
    EngineError,
    OutcomeUnknown,
    StorageBusy,
    StorageFull,
    Text,
)

_PRIMARY = 0xFF
"""SQLite's extended result codes carry the primary code in their lowest byte."""

_OPERATION = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
    }
)
"""Codes that speak of one statement and its values, not of the storage."""

_MALFORMED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""Codes that speak of a file that is not what SQLite has written."""

_FAILED = _MALFORMED | {sqlite3.SQLITE_IOERR}
"""Codes that speak of a storage that has failed for everybody."""


_OUT_OF_REACH = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)
"""Codes that speak of who may have the storage, and when."""


def verdict(error: Exception) -> EngineError | None:
    """Return what an error before COMMIT means for the batch; None when an operation caused it."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, MemoryError):
        # SQLite's NOMEM among others: nobody knows what else could not be written down.
        return OutcomeUnknown(Text.OUTCOME_UNKNOWN)
    if not isinstance(error, sqlite3.Error):
        # A number too large, text that is no Unicode.
        return None
    code = _primary_code(error)
    if code is None or code in _OPERATION:
        return None
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageBusy(Text.STORAGE_BUSY)
    return at_commit(error)


def at_commit(error: BaseException) -> EngineError:
    """Return what an error of COMMIT means for the batch: whatever is not a full disk, is unknown.

    A COMMIT that failed may be on disk nevertheless, and no later fsync would tell.
    """
    if is_full(error):
        return StorageFull(Text.STORAGE_FULL)
    return OutcomeUnknown(Text.OUTCOME_UNKNOWN)


def storage_failed(error: BaseException) -> bool:
    """Say whether an error means that the storage gives back errors or nonsense, whoever asks."""
    return isinstance(error, OutcomeUnknown) or _primary_code(error) in _FAILED


def of_reading(error: sqlite3.Error) -> EngineError:
    """Return what an error of a connection that only reads means.

    A disk that gives back errors or nonsense has failed, whoever notices; all else, such as no file
    descriptor for another connection, is this reader's trouble alone.
    """
    if storage_failed(error):
        return OutcomeUnknown(Text.STORAGE_FAILED)
    return StorageBusy(Text.UNREADABLE.format(reason=" ".join(str(error).split())))


def out_of_reach(error: Exception) -> bool:
    """Say whether an error means that a database is not to be had, by this user or just now."""
    return isinstance(error, PermissionError) or _primary_code(error) in _OUT_OF_REACH


def is_full(error: BaseException) -> bool:
    """Say whether an error means that the disk is full."""
    return _primary_code(error) == sqlite3.SQLITE_FULL


def is_malformed(error: BaseException) -> bool:
    """Say whether an error means that the file is damaged."""
    return _primary_code(error) in _MALFORMED


def cannot_start(path: Path, error: Exception) -> str:
    """Return why an engine cannot start on a database, and what a person can do about it."""
    cause = error.__cause__ if isinstance(error, OutcomeUnknown) else None
    reason = cause or error
    advice = ""
    if isinstance(error, StorageFull) or is_full(reason):
        advice = "; free some space and start again"
    elif _primary_code(reason) == sqlite3.SQLITE_READONLY:
        advice = "; see that this user may write it, its directory, and what is beside it"
    elif is_malformed(reason):
        advice = (
            "; or the disk cannot be read just now, see the kernel's log. Keep a copy of it and of "
            "its -wal file, then restore a backup, or save what can be read with the .recover "
            "command of the sqlite3 shell"
        )
    return f"cannot use {path}: {reason}{advice}"


def _primary_code(error: BaseException) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY


def reply(error: Exception) -> CommandError:
    """Return the reply for the one operation that caused an error."""
    if isinstance(error, CommandError):
        return error
    reason = " ".join(str(error).split()) or type(error).__name__
    return CommandError(Text.NOT_STORABLE.format(reason=reason))

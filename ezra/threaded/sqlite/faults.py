"""What an exception from the database means: whose fault it is, and what may go on."""

from __future__ import annotations

import sqlite3

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


def verdict(error: Exception) -> EngineError | None:
    """Return what an error before COMMIT means for the batch; None when an operation caused it."""
    if isinstance(error, EngineError):
        return error
    if not isinstance(error, sqlite3.Error):
        # A number too large, text that is no Unicode, no memory for a huge payload.
        return None
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & _PRIMARY in _OPERATION:
        return None
    if code & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageBusy(Text.STORAGE_BUSY)
    return at_commit(error)


def at_commit(error: BaseException) -> EngineError:
    """Return what an error of COMMIT means for the batch: whatever is not a full disk, is unknown.

    A COMMIT that failed may be on disk nevertheless, and no later fsync would tell.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & _PRIMARY == sqlite3.SQLITE_FULL:
        return StorageFull(Text.STORAGE_FULL)
    return OutcomeUnknown(Text.OUTCOME_UNKNOWN)


def not_storable(error: Exception) -> CommandError:
    """Return the reply for the one operation that caused an error."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return CommandError(Text.NOT_STORABLE.format(reason=reason))

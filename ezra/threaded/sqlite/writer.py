"""The writer: one batch of calls, one transaction, one fsync.

It tries the quick way first, where calls of one kind share their statements. If anything in that
fails because of the values it was given, everything is rolled back and done again the careful way:
the same order, each call alone in its SAVEPOINT, so that whatever fails there fails alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from ezra.sansio.errors import OutcomeUnknown, StorageFull, Text
from ezra.sansio.model import FOREVER, Defaults
from ezra.sansio.queue.operations import Claim, Push, TakeOver, Transact
from ezra.threaded import failpoints
from ezra.threaded.clock import Clock
from ezra.threaded.sqlite import faults, statements
from ezra.threaded.sqlite.calls import Call, Kind, rounds, sources_of
from ezra.threaded.sqlite.checkpoints import Checkpoints
from ezra.threaded.sqlite.parking import Parking
from ezra.threaded.sqlite.registry import Registry
from ezra.threaded.sqlite.space import FreeSpace
from ezra.threaded.sqlite.steps import carry_out
from ezra.threaded.sqlite.sweep import catch_up, next_due, sweep
from ezra.threaded.sqlite.transaction import ANY_NUMBER, Transaction

Lines = Sequence[Sequence[Call]]
"""The calls of a batch: one line for each submission."""

TAKERS: frozenset[Kind] = frozenset({Transact, TakeOver, Claim})
"""What may take tasks that are claimable; who has waited for them comes first."""

PUSHERS: frozenset[Kind] = frozenset({Transact, Push})
"""What needs room on the disk that is not there already."""


class Writer:
    """Belongs to whoever leads the commit.

    Args:
        connection: the only one that writes.
        defaults: what holds for queues that set nothing else.
        clock: tells each transaction its moment.
        space: tells whether pushes are welcome.
        checkpoints: tells when the WAL has grown long enough.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        defaults: Defaults,
        clock: Clock,
        space: FreeSpace,
        checkpoints: Checkpoints,
    ) -> None:
        self.connection = connection
        self.space = space
        self.checkpoints = checkpoints
        self.parking = Parking()
        self.due = FOREVER
        """The first moment at which a sweep has something to do."""
        self._registry = Registry(connection, defaults)
        self._defaults = defaults
        self._clock = clock
        self._full = False
        self._has_calls = False
        """Whether what is being committed is anybody's wish: what time does passes no failpoint."""

    def write(self, lines: Lines, *, swept: bool) -> Transaction:
        """Carry out a batch and make it durable.

        Args:
            lines: the calls, whose outcomes are filled in.
            swept: whether to look for what is due even if nothing is known to be.

        Returns:
            The transaction, which says who was served and who parked.

        Raises:
            EngineError: the whole batch came to nothing, or nobody knows (`OutcomeUnknown`).
        """
        self._has_calls = any(lines)
        try:
            done = self._write(lines, swept=swept)
        except StorageFull:
            done = self._write_on_a_full_disk(lines, swept=swept)
        else:
            if _has_pushes(lines):
                self.space.had_room()
        self.checkpoints.run_if_due(self.connection, at_once=self.space.began())
        return done

    def _write_on_a_full_disk(self, lines: Lines, *, swept: bool) -> Transaction:
        """Once more with the room that the WAL has, and then without what needs more than that.

        A checkpoint makes that room: SQLite begins the WAL anew in the space that it has. With
        pushes in it a batch may be too much all the same, and those who share it only ack.
        """
        self.space.expect_change()
        try:
            self.checkpoints.run(self.connection)
            return self._write(lines, swept=swept)
        except StorageFull:
            self.space.ran_out()
            if not _has_pushes(lines):
                raise
        self._full = True
        try:
            return self._write(lines, swept=swept)
        finally:
            self._full = False

    def _write(self, lines: Lines, *, swept: bool) -> Transaction:
        """Carry out a batch the quick way, or else the careful one."""
        _forget_outcomes(lines)
        try:
            return self.transact(lambda tx: self._batch(tx, lines, _together, swept=swept))
        except Exception as error:
            fault = faults.verdict(error)
            if fault is not None:
                raise fault from error
        _forget_outcomes(lines)
        try:
            return self.transact(lambda tx: self._batch(tx, lines, _one_by_one, swept=swept))
        except Exception as error:
            # What fails here belongs to no call: nothing is known of such an error.
            raise faults.verdict(error) or OutcomeUnknown(Text.OUTCOME_UNKNOWN) from error

    def transact(self, work: Callable[[Transaction], Any]) -> Transaction:
        """Do some work in a transaction, at the present moment; all of it or nothing.

        Raises:
            EngineError: COMMIT failed; `StorageFull` means that it came to nothing.
            Exception: whatever the work raised, rolled back.
        """
        self.connection.execute(statements.BEGIN)
        now = self._clock.now()
        tx = Transaction(self.connection, self._registry, self.parking, self._defaults, now)
        tx.refusal = Text.STORAGE_FULL if self._full else self.space.refusal(now)
        try:
            with self._registry.journal.transaction():
                work(tx)
                self._commit()
        except BaseException:
            self._roll_back(tx)
            raise
        try:
            tx.settle()
        except Exception as error:
            # It is on disk. Nobody may take this for the work's own error and do it again.
            raise OutcomeUnknown(Text.OUTCOME_UNKNOWN) from error
        swept_until = self.due if tx.swept_until is None else tx.swept_until
        self.due = min(swept_until, tx.due)
        return tx

    def _commit(self) -> None:
        try:
            if self._has_calls:
                failpoints.passing("before_commit")
            self.connection.execute(statements.COMMIT)
            if self._has_calls:
                failpoints.passing("after_commit")
        except Exception as error:
            raise faults.at_commit(error) from error

    def _batch(self, tx: Transaction, lines: Lines, how: How, *, swept: bool) -> None:
        edited = tx.registry.refresh()
        if swept or edited or self.due <= tx.now:
            sweep(tx)
            if edited:
                tx.freed.update(dict.fromkeys(self.parking.addresses(), ANY_NUMBER))
            _feed(tx, how, late=True)
            tx.swept_until = next_due(tx)
        for kind, calls in rounds(lines):
            catch_up(tx)
            if kind in TAKERS:
                if tx.behind:
                    # What is due there and was not brought in is for who waits there first.
                    asked = chain(*(sources_of(call.operation) for call in calls))
                    tx.freed.update(dict.fromkeys(asked, ANY_NUMBER))
                _feed(tx, how)
            how(tx, kind, calls)
        _feed(tx, how)

    def _roll_back(self, tx: Transaction) -> None:
        tx.undo()
        # SQLite rolls back by itself after some errors.
        try:
            if self.connection.in_transaction:
                self.connection.execute(statements.ROLLBACK)
        except Exception as error:
            raise OutcomeUnknown(Text.OUTCOME_UNKNOWN) from error


def _feed(tx: Transaction, how: How, *, late: bool = False) -> None:
    """Serve who waits; one of them may leave some of what it was to have to the next."""
    while waiting := tx.next_in_line(late=late):
        how(tx, Claim, waiting)


def _has_pushes(lines: Lines) -> bool:
    return any(type(call.operation) in PUSHERS for line in lines for call in line)


def _forget_outcomes(lines: Lines) -> None:
    """Make calls as they were before an attempt that was rolled back."""
    for line in lines:
        for call in line:
            call.outcome = None


How = Callable[[Transaction, Kind, Sequence[Call]], None]


def _together(tx: Transaction, kind: Kind, calls: Sequence[Call]) -> None:
    """Carry out calls of one kind with few statements; one that fails takes all along."""
    if calls:
        carry_out(tx, kind, calls)


def _one_by_one(tx: Transaction, kind: Kind, calls: Sequence[Call]) -> None:
    """Carry out calls one after the other; one that fails has its error as its outcome."""
    for call in calls:
        try:
            with tx.savepoint():
                carry_out(tx, kind, [call])
        except Exception as error:
            if faults.verdict(error) is not None:
                raise
            call.outcome = faults.reply(error).as_answer()
            if isinstance(call.operation, Claim):
                tx.serve(call, call.operation)

"""What stands in a write-ahead log behind its last valid commit: nothing, a torn tail, or damage.

SQLite reads a log up to the first frame that is not as it should be, and drops the rest without a
word. After a power loss that is right: the last transaction was on its way to disk, any sectors of
it may be there and any not, and nobody was told that it is stored. It is wrong where the frame was
sound and has been damaged since: then fsynced, answered commits are behind it.

What tells the two apart: with `synchronous=FULL` a transaction is written after the one before it
was fsynced. A broken frame in front of the *next* transaction's frames is therefore damage. Which
frames belong to a next transaction is read from what a torn write cannot fake:

- a frame whose link fits was written as it stands, in this run through the file and behind the
  frame that it links to; left-overs of a transaction that was rolled back do not link to it;
- a commit mark counts if its frame's link fits, or if it stands in one sector with the salts of
  this run: a sector is old or new as a whole;
- of the two salts, a torn write leaves both or none.

Everything else that looks like the end of a transaction behind a broken frame is taken for a torn
tail: not refused, but said, and a copy of it is kept. So is the beginning of a transaction that has
no end: frames whose links go on from the last commit, a frame that is cut off, and zeros. Frames of
older runs, or of a transaction that was rolled back, are none: their salts are others, or they do
not link to the last commit. Nothing disappears without a word.

A log that was cut off between two transactions looks whole. Only its index (`-shm`) tells then, if
the crash has left one. With `FULL` SQLite writes a commit into the index after the log was fsynced.
So an index with the salts of the log and more frames than SQLite reads proves a loss, however old
the moment is of which a power loss has left it: the frames of a run only become more, and a new run
has its new salts fsynced before its first frame. Nor does it help that the database may have those
frames: of the others SQLite would read pages that are older. Of an empty log it reads nothing; what
was in it is lost exactly if the index says that the database does not have it. Two more things make
these sound: `checkpoints.make_empty` fsyncs the index before a log is emptied, and
`probe.left_as_found` fsyncs the log before an index is made of it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ezra.threaded.sqlite.wal import Frame, Sums, Wal

_NEVER_WRITTEN = bytes(8)
"""The salts in a part of the file that is there and was never written."""


class Tail(enum.Enum):
    """What the end of a log is like."""

    CLEAN = "clean"
    """SQLite reads all that was committed."""
    TORN = "torn"
    """The last transaction is not whole, as a power loss leaves it."""
    DAMAGED = "damaged"
    """There are commits that SQLite would drop."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found behind the last valid commit."""

    tail: Tail
    bad: int = 0
    """The number of the first frame that is not as it should be."""
    frames: int = 0
    """How many frames of this run SQLite would drop there, the bad one included."""
    commits: int = 0
    """How many of them end a transaction."""


def examine(wal: Wal, committed: int) -> Findings:
    """Look at what SQLite would leave out.

    Args:
        wal: the log.
        committed: the last frame that SQLite takes; 0 for none.
    """
    return _Examination(wal, committed).findings()


class _Examination:
    """Goes through the frames behind the last valid commit, once, keeping one in memory."""

    def __init__(self, wal: Wal, committed: int) -> None:
        self._wal = wal
        last = wal.frame(committed) if committed else None
        self._committed = committed
        self._before: list[Sums] = [wal.sums if last is None else last.sums]
        """The sums that the next frame may go on from."""
        self._bad: Frame | None = None
        self._end: Frame | None = None
        """The last frame, if it surely ended a transaction and stands at or behind the bad one."""
        self._doubtful = False
        """Whether something may have ended a transaction there."""
        self._proven = False
        self._frames = self._commits = 0
        self._begun = 0
        """How many frames of a transaction go on from the last commit, in front of the bad one."""
        for frame in wal.frames(committed + 1):
            self._look_at(frame)

    def findings(self) -> Findings:
        """Return what it comes to."""
        tail = Tail.TORN if self._doubtful else Tail.CLEAN
        if self._proven:
            tail = Tail.DAMAGED
        elif not self._doubtful and (unfinished := self._begun + self._cut_off()):
            return Findings(Tail.TORN, self._committed + 1, unfinished + self._frames)
        bad = 0 if self._bad is None else self._bad.number
        return Findings(tail, bad, self._frames, self._commits)

    def _cut_off(self) -> bool:
        """Say whether a frame is cut off behind those, or only zeros are where it was to be.

        What ends before its salts may be anything.
        """
        if self._bad is not None:
            return self._bad.salts == _NEVER_WRITTEN
        rest = self._wal.rest()
        return rest != b"" and (len(rest) < 16 or rest[8:16] in (self._wal.salts, _NEVER_WRITTEN))

    def _look_at(self, frame: Frame) -> None:
        ours = frame.salts == self._wal.salts
        if self._proven:
            self._count(frame, ours=ours)
            return
        sums = self._links(frame) if ours else [frame.sums]
        whole = ours and frame.sums in sums
        if self._bad is None and not whole:
            self._bad = frame
            self._proven = _half(frame.salts, self._wal.salts)
        elif self._bad is None:
            self._begun += 1
        if self._bad is not None:
            self._count(frame, ours=ours)
            self._judge(frame, sums, ours=ours, whole=whole)
        self._before = (
            list(dict.fromkeys([frame.sums, *sums])) if frame is self._bad else [frame.sums]
        )

    def _links(self, frame: Frame) -> list[Sums]:
        """Return what the frame's sums must be; two answers where those before it are in doubt."""
        return [self._wal.sums_after(frame, before) for before in self._before]

    def _count(self, frame: Frame, *, ours: bool) -> None:
        self._frames += ours
        self._commits += ours and frame.commit != 0

    def _judge(self, frame: Frame, sums: list[Sums], *, ours: bool, whole: bool) -> None:
        """See whether a transaction ends in this frame, or has begun behind the end of one."""
        if whole and self._end is not None and not _repeats(frame, self._end):
            self._proven = True
        marked = ours and (frame.commit != 0 or (not whole and self._lost_mark(frame, sums)))
        sure = whole or (frame is self._bad and frame.mark_is_sure)
        self._doubtful |= marked and (whole or frame is self._bad)
        self._end = frame if marked and sure else None

    def _lost_mark(self, frame: Frame, sums: list[Sums]) -> bool:
        return frame is self._bad and self._wal.was_commit(frame, sums[0])


def _half(salts: bytes, right: bytes) -> bool:
    """Say whether one salt of the two is right, which no write leaves."""
    return (salts[:4] == right[:4]) != (salts[4:] == right[4:])


def _repeats(frame: Frame, end: Frame) -> bool:
    """Say whether a frame only repeats the end of its transaction.

    Where SQLite does not trust the disk's sectors it fills up the last one with such.
    """
    return frame.commit != 0 and (frame.page, frame.commit) == (end.page, end.commit)

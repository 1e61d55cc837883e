"""Bytes of a log that rot, and last transactions that are torn: refused, said, or whole.

A flipped byte must be refused, or said where it cannot be told from a torn transaction; a torn
transaction must never be refused. The laws are those of `tests/property/test_sqlite_tail.py`.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from ezra.threaded.sqlite.tail import Tail
from tests.faults.tally import Tally
from tests.property.test_sqlite_tail import check_flip, frames_of
from tests.property.wal_worlds import Crashed, History, torn

TRIALS = 200
"""On each log, before another one is written."""


def campaign(seconds: float) -> Tally:
    """Flip and tear for so long."""
    deadline = time.monotonic() + seconds
    random.seed(0)
    tally = Tally()
    while time.monotonic() < deadline:
        with tempfile.TemporaryDirectory() as directory:
            tally += spoil(make(Path(directory)))
    return tally


def make(directory: Path) -> Crashed:
    """Write a log: of any page size, from the front of its file or once more over an older run."""
    for name in ("live", "crashed"):
        (directory / name).mkdir()
    history = History(directory / "live", random.choice((512, 512, 1024, 4096)))
    if random.random() < 0.7:
        for _ in range(random.randrange(12)):
            history.commit(random.randrange(5000))
        history.restart()
    for _ in range(random.randrange(3, 9)):
        history.commit(random.choice((0, random.randrange(4000))), random.choice(FILLERS))
        if random.random() < 0.1:
            history.roll_back(random.randrange(12_000))
    crashed = history.crash(directory / "crashed")
    history.close()
    return crashed


FILLERS = ("randomblob", "zeroblob")


def spoil(crashed: Crashed) -> Tally:
    """Try one log again and again. Raises AssertionError for what must not be."""
    frames = list(frames_of(crashed))
    whole = crashed.logs[-1]
    for _ in range(TRIALS):
        at = random.choice(
            (random.randrange(len(whole)), random.choice(frames)[0] + random.randrange(24))
        )
        change = random.choice((1 << random.randrange(8), random.randrange(1, 256), whole[at] or 1))
        check_flip(crashed, frames, at, change)
        last = random.randint(1, crashed.commits)
        old = random.choice((crashed.logs[last - 1], crashed.befores[last]))
        new = crashed.logs[last]
        share = random.random()
        kept = [random.random() < share for _ in range(len(new) // 512 + 1)]
        size = random.choice((len(new), random.randint(len(old), max(len(old), len(new)))))
        findings, commits = crashed.look(torn(old, new, kept, size))
        assert commits in (last - 1, last), (last, commits)
        assert findings.tail is not Tail.DAMAGED
    return Tally(faults=2 * TRIALS, operations=crashed.commits)

"""Named places at which a test makes the process die, linger or fail. All of them are off.

They are armed once, at the start, by the variable EZRA_FAILPOINTS, for example
`after_commit=exit@3;before_commit=delay:0.5`: a point, what happens there, and after an `@` at
which of its passings alone. While none is armed, passing one is a look into an empty dict.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ezra.sansio.model import Claimed, Delivery, Taken

VARIABLE = "EZRA_FAILPOINTS"

POINTS: Mapping[str, str] = {
    "before_commit": "a batch of commands is written, and COMMIT comes next",
    "after_commit": "its COMMIT has returned, and nobody has been answered yet",
    "after_claim": "tasks are claimed on disk, and the reply that hands them out comes next",
    "before_checkpoint": "the write-ahead log is to be brought into the database next",
}

EXIT_CODE = 77
"""What a process ends with that a failpoint has ended: no other end of a server has it."""

_ENTRY = re.compile(
    r"(?P<point>[a-z_]+)=(?P<action>exit|raise|delay:(?P<seconds>[0-9]{1,4}(\.[0-9]{1,6})?))"
    r"(@(?P<nth>[1-9][0-9]{0,8}))?"
)


@dataclass(slots=True)
class Failpoint:
    """What happens at a point."""

    action: Callable[[], None]
    nth: int | None
    """At which passing alone, counted from 1; None at each."""
    passed: int = 0
    """How often it was passed. Under the lock."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fire(self) -> None:
        """Do it, if it is its turn."""
        with self.lock:
            self.passed += 1
            fires = self.nth in (None, self.passed)
        if fires:
            self.action()


_armed: dict[str, Failpoint] = {}


def read(text: str) -> dict[str, Failpoint]:
    """Return the failpoints that the variable's text asks for, none where it is empty.

    Raises:
        ValueError: it is malformed; the error names the variable and the part that is wrong.
    """
    points: dict[str, Failpoint] = {}
    for part in text.split(";") if text else ():
        name, point = _read_one(part.strip())
        if name in points:
            raise ValueError(f"{VARIABLE}: {name} is given twice; one thing happens at a point")
        points[name] = point
    return points


def arm(points: Mapping[str, Failpoint]) -> None:
    """Have these happen from now on, and no others."""
    _armed.clear()
    _armed.update(points)


def passing(point: str) -> None:
    """Have happen what is to happen at the point; mostly nothing."""
    if _armed and point in _armed:
        _armed[point].fire()


def passing_claim(results: Sequence[object]) -> None:
    """Pass `after_claim`, if the results of some commands hand out tasks."""
    if _armed and any(map(_hands_out, results)):
        passing("after_claim")


def _hands_out(result: object) -> bool:
    tasks = result.tasks if isinstance(result, Taken) else result
    return isinstance(tasks, tuple) and any(isinstance(one, Delivery | Claimed) for one in tasks)


def _read_one(text: str) -> tuple[str, Failpoint]:
    found = _ENTRY.fullmatch(text)
    if found is None or found["point"] not in POINTS:
        raise ValueError(
            f"{VARIABLE}: must be points as in after_commit=exit@3;before_commit=delay:0.5, with "
            f"exit, raise or delay:SECONDS at {', '.join(POINTS)}; not {text!r}"
        )
    nth = None if found["nth"] is None else int(found["nth"])
    return found["point"], Failpoint(_action(found), nth)


def _action(found: re.Match[str]) -> Callable[[], None]:
    if found["action"] == "exit":
        return _exit
    if found["action"] == "raise":
        return _lose_link if found["point"] == "after_claim" else _fail_storage
    seconds = float(found["seconds"])
    return lambda: time.sleep(seconds)


def _exit() -> None:
    """End the process at once, as a kill would."""
    os._exit(EXIT_CODE)


def _fail_storage() -> None:
    """Raise what SQLite raises when the disk fails."""
    error = sqlite3.OperationalError("disk I/O error (a failpoint's)")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    raise error


def _lose_link() -> None:
    """Raise what a socket raises whose peer is gone."""
    raise OSError(errno.EPIPE, "broken pipe (a failpoint's)")

"""A disk that loses its power: which contents may be found after it, as far as promises go.

`Disk` is fed with the calls that changed a directory, and answers with possible contents for a
power loss at that moment. What it takes from the promises of file systems, and no more:

- What was written to a file before an fsync or fdatasync of it began is there once that has ended.
- Of what was written since, each sector of 512 bytes has any of the contents that it had since
  then, independently of every other: writes are lost, torn and reordered.
- A file's length may have grown without the bytes in it, which are zeros then.
- A truncation that is lost takes along whatever was written to the file behind it.
- Names (made, renamed, removed) are lost from some moment on, until an fsync of their directory;
  and that says nothing of the contents.

Real disks and file systems keep more than that, so there are no false alarms in what they find, and
some states here that they would never show.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.strace import Call

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""

Contents = dict[str, bytes]
"""By its name, what is in each file of the directory."""

Keep = Callable[[int], int]
"""Given how many versions of a sector there are behind the safe one, says which is found: 0 is the
safe one, then come the others."""


@dataclass(slots=True)
class Change:
    """A write, or a truncation (`data` is None), that no sync has made safe."""

    at: int
    data: bytes | None
    ended: int


@dataclass(slots=True)
class File:
    """A file, whatever its name is."""

    safe: bytearray = field(default_factory=bytearray)
    """Its content as the last sync has left it."""
    changes: list[Change] = field(default_factory=list)
    """What came since."""

    def sync(self, begun: int) -> None:
        """Make safe what was changed before that moment."""
        while self.changes and self.changes[0].ended < begun:
            change = self.changes.pop(0)
            _change(self.safe, change.at, change.data)

    def after(self, keep: Keep, *, zeros: bool) -> bytes:
        """Return a content that may be found after a power loss.

        Args:
            keep: chooses the version of each sector.
            zeros: whether the length is found as it was last, though bytes were lost.
        """
        content = bytearray(self.safe)
        size = len(content)
        pieces = list(self._pieces())
        versions = Counter(at // SECTOR for at, piece in pieces if piece is not None)
        left: dict[int, int] = {}
        for at, piece in pieces:
            if piece is None:
                if not keep(1):
                    break
                _change(content, at, None)
                size = at
                continue
            size = max(size, at + len(piece))
            sector = at // SECTOR
            if sector not in left:
                left[sector] = keep(versions[sector])
            if left[sector] > 0:
                _change(content, at, piece)
            left[sector] -= 1
        if zeros and len(content) < size:
            content.extend(bytes(size - len(content)))
        return bytes(content)

    def _pieces(self) -> Iterator[tuple[int, bytes | None]]:
        """Yield the changes, where and what, cut into what falls into one sector each."""
        for change in self.changes:
            if change.data is None:
                yield change.at, None
                continue
            at, end = change.at, change.at + len(change.data)
            while at < end:
                upto = min(end, (at // SECTOR + 1) * SECTOR)
                yield at, change.data[at - change.at : upto - change.at]
                at = upto


def _change(content: bytearray, at: int, data: bytes | None) -> None:
    """Write into a content, or cut it (or fill it up) to a length."""
    if data is None:
        del content[at:]
    missing = at - len(content)
    if missing > 0:
        content.extend(bytes(missing))
    if data is not None:
        content[at : at + len(data)] = data


class Disk:
    """A directory that was empty, on a disk.

    Args:
        directory: where it was when the calls were made.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._names: dict[str, File] = {}
        self._safe_names: dict[str, File] = {}
        self._histories: list[dict[str, File]] = []
        """The names behind each change of them that no sync of the directory has made safe."""

    def apply(self, call: Call) -> None:
        """Carry out a call. What is not about a file in the directory changes nothing."""
        if call.name in ("fsync", "fdatasync") and call.target == self._directory:
            self._safe_names, self._histories = dict(self._names), []
        name = self._name(call.target)
        if name is None:
            return
        match call.name:
            case "fsync" | "fdatasync":
                self._file(name).sync(call.begun)
            case "pwrite64":
                self._file(name).changes.append(Change(call.number, call.data, call.ended))
            case "ftruncate":
                self._file(name).changes.append(Change(call.number, None, call.ended))
            case "unlink":
                self._names.pop(name, None)
                self._histories.append(dict(self._names))
            case "rename":
                new = self._name(call.data.decode())
                assert new is not None
                self._names[new] = self._names.pop(name)
                self._histories.append(dict(self._names))
            case _:
                raise AssertionError(f"the model of the disk does not know {call.name}")

    def after(self, rng: random.Random) -> Contents:
        """Return contents that may be found after a power loss at this moment."""
        names = rng.choice([self._safe_names, self._names, *self._histories])
        return {
            name: file.after(rng.choice(KEEPING)(rng), zeros=rng.random() < 0.3)
            for name, file in names.items()
        }

    def least(self) -> Contents:
        """Return what is left if the disk keeps nothing but what it has promised."""
        return {name: file.after(_none, zeros=False) for name, file in self._safe_names.items()}

    def most(self) -> Contents:
        """Return what is there if the disk has everything."""
        return {name: file.after(_last, zeros=False) for name, file in self._names.items()}

    def _name(self, path: str) -> str | None:
        """Return the name of a file in the directory whose bytes survive: not the shared memory."""
        folder, _, name = path.rpartition("/")
        kept = folder == self._directory and not name.endswith(("-shm", ".lock"))
        return name if kept else None

    def _file(self, name: str) -> File:
        if name not in self._names:
            self._names[name] = File()
            self._histories.append(dict(self._names))
        return self._names[name]


def _none(_: int) -> int:
    return 0


def _last(versions: int) -> int:
    return versions


def _any(rng: random.Random) -> Keep:
    return lambda versions: rng.randint(0, versions)


def _often(share: float) -> Callable[[random.Random], Keep]:
    return lambda rng: lambda versions: versions if rng.random() < share else 0


KEEPING: tuple[Callable[[random.Random], Keep], ...] = (
    lambda _: _none,
    lambda _: _last,
    _any,
    _often(0.05),
    _often(0.5),
    _often(0.95),
)
"""How much of what was not synced a file has kept; each file of a state draws one."""


def quick_folder() -> str | None:
    """Return a folder in memory to make directories in, where there is one; else None."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a name is made up


def lay_out(contents: Mapping[str, bytes], directory: Path) -> None:
    """Make a directory with these contents and nothing else."""
    for old in directory.iterdir():
        old.unlink()
    for name, content in contents.items():
        (directory / name).write_bytes(content)

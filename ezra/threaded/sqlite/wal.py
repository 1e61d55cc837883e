"""A write-ahead log as bytes: its header, its frames, and whether they fit together.

The format is SQLite's, https://sqlite.org/fileformat2.html#walformat. Two salts in each frame say
to which run through the file it belongs: SQLite begins at the front again after a checkpoint, and
what stands behind the newest frames is left from earlier runs. A frame's two sums go on from those
of the frame before it, so a *link* (a frame, given the sums stored before it) can be checked
wherever it stands, also behind a frame that is broken.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

HEADER_SIZE = 32
FRAME_HEADER_SIZE = 24

SECTOR = 512
"""What a disk writes as a whole, at the least."""

_MAGIC = 0x377F0682
"""The lowest bit of it says whether the sums are over big-endian words."""
_VERSION = 3_007_000
_WORD = 2**32

Sums = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One page in the log, as its header describes it."""

    number: int
    """From 1."""
    at: int
    """Where it begins in the file."""
    page: int
    commit: int
    """The database's size in pages where it ends a transaction, else 0."""
    salts: bytes
    sums: Sums

    @property
    def mark_is_sure(self) -> bool:
        """Whether `commit` and the salts stand in one sector.

        Then a write that was torn has brought both or none: a frame with the salts of this run has
        the commit mark of this run, too.
        """
        return (self.at + 8) % SECTOR != 0


@dataclass(frozen=True, slots=True)
class Wal:
    """A log that is open for reading and has a sound header."""

    file: BinaryIO
    size: int
    """Bytes."""
    page_size: int
    salts: bytes
    sums: Sums
    """Those of the header, from which the first frame's go on."""
    big_endian: bool

    def frames(self, first: int) -> Iterator[Frame]:
        """Read the headers of all frames from number `first` on, whatever run they are of."""
        number = first
        while (frame := self.frame(number)) is not None:
            yield frame
            number += 1

    def frame(self, number: int) -> Frame | None:
        """Read a frame's header; None where the file ends before the end of the frame."""
        if number > self.whole_frames:
            return None
        at = HEADER_SIZE + (number - 1) * (FRAME_HEADER_SIZE + self.page_size)
        self.file.seek(at)
        header = self.file.read(FRAME_HEADER_SIZE)
        page, commit, _, _, first, second = _numbers(header)
        return Frame(number, at, page, commit, header[8:16], (first, second))

    @property
    def whole_frames(self) -> int:
        """How many frames the file has room for, whatever run they are of."""
        return (self.size - HEADER_SIZE) // (FRAME_HEADER_SIZE + self.page_size)

    def rest(self) -> bytes:
        """Return what stands behind the last whole frame, up to a frame's header."""
        self.file.seek(HEADER_SIZE + self.whole_frames * (FRAME_HEADER_SIZE + self.page_size))
        return self.file.read(FRAME_HEADER_SIZE)

    def sums_after(self, frame: Frame, before: Sums) -> Sums:
        """Return what a frame's sums must be, given those before it."""
        self.file.seek(frame.at)
        head = self.file.read(8)
        self.file.seek(frame.at + FRAME_HEADER_SIZE)
        return checksum(head + self.file.read(self.page_size), before, big_endian=self.big_endian)

    def was_commit(self, frame: Frame, wrong: Sums) -> bool:
        """Say whether a frame has the wrong sums only because it has lost its commit mark.

        The sums are linear: what a word adds to them is a multiple of what 1 would add in its
        place. So the mark that would make both sums right can be worked out, if there is one.

        Args:
            frame: one whose mark is 0.
            wrong: what `sums_after` gives for it.
        """
        one = bytes(3) + b"\1" if self.big_endian else b"\1" + bytes(3)
        words = bytes(4) + one + bytes(self.page_size)
        weights = checksum(words, (0, 0), big_endian=self.big_endian)
        missing = [(is_ - was) % _WORD for is_, was in zip(frame.sums, wrong, strict=True)]
        odd = 0 if weights[0] % 2 else 1  # of two Fibonacci numbers in a row, one is
        mark = missing[odd] * pow(weights[odd], -1, _WORD) % _WORD
        return mark != 0 and mark * weights[1 - odd] % _WORD == missing[1 - odd]


def open_wal(file: BinaryIO) -> Wal | None:
    """Read the header of a log; None where SQLite would ignore the log for its sake."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    header = file.read(HEADER_SIZE)
    if len(header) < HEADER_SIZE:
        return None
    magic, version, page_size, _, _, _, first, second = _numbers(header)
    big_endian = magic == _MAGIC + 1
    if magic not in (_MAGIC, _MAGIC + 1) or version != _VERSION:
        return None
    if page_size not in (2**power for power in range(9, 17)):
        return None
    if checksum(header[:24], (0, 0), big_endian=big_endian) != (first, second):
        return None
    return Wal(file, size, page_size, header[16:24], (first, second), big_endian)


def checksum(content: bytes, before: Sums, *, big_endian: bool) -> Sums:
    """Go on from two sums over more content, a multiple of eight bytes."""
    words = array("I", content)
    if (sys.byteorder == "big") != big_endian:
        words.byteswap()
    first, second = before
    pairs = iter(words)
    for word, next_word in zip(pairs, pairs, strict=True):
        first = (first + word + second) & 0xFFFFFFFF
        second = (second + next_word + first) & 0xFFFFFFFF
    return first, second


def _numbers(header: bytes) -> list[int]:
    """Return the big-endian numbers of four bytes each that a header consists of."""
    return [int.from_bytes(header[at : at + 4], "big") for at in range(0, len(header), 4)]

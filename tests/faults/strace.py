"""strace around a real server: the record of what it asks of the kernel, or faults in that.

The tracer is the server's grandchild (`-D`), so the process that the test holds is the server
itself: its signals and its exit code are as ever. A call that other threads' lines interrupt has
two lines, where it begins and where it ends; the moments of a `Call` are the lines' numbers. The
thread stands still at both, so a call that ended before another began did so in truth, too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hiredis

NEVER = 2**62
"""When a call ended that had not ended when its process did."""

DISK = ("pwrite64", "write", "ftruncate", "fallocate", "fsync", "fdatasync", "unlink", "rename")
"""Everything by which SQLite and EZRA change files."""
SOCKET = ("recvfrom", "sendto")
"""How EZRA hears and answers clients."""


@cache
def missing() -> str:
    """Return why nothing can be traced here; empty when it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()}"


def recording(log: Path, calls: Sequence[str] = (*DISK, *SOCKET)) -> list[str]:
    """Return the words that start a server under strace, which writes the calls down."""
    return [*_words(calls), "-y", "-xx", "-s", "100000000", "-o", str(log)]


def injecting(log: Path, paths: Sequence[Path], *faults: str) -> list[str]:
    """Return the words that start a server under strace, which has calls on the paths go wrong.

    Args:
        log: where the calls that were injected into are written.
        paths: the files in whose calls; none for all.
        faults: strace's own notation: `pwrite64:error=EIO:when=3+`.
    """
    names = [fault.split(":")[0] for fault in faults]
    options = [word for path in paths for word in ("-P", str(path))]
    options += [word for fault in faults for word in ("-e", f"inject={fault}")]
    return [*_words(names), *options, "-o", str(log)]


def _words(calls: Sequence[str]) -> list[str]:
    traced = ["-e", f"trace={','.join(calls)}", "-e", "signal=none"]
    return ["strace", "-D", "-f", "--seccomp-bpf", "-q", *traced]


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that succeeded, or had not ended yet."""

    name: str
    target: str
    """The path, or the socket, that it is about."""
    begun: int
    ended: int
    data: bytes = b""
    """What was written, sent or received; of a rename, the new path."""
    number: int = 0
    """Of a write, where; of a truncation, the length."""


_WHOLE = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)\) += (?P<result>-?\d+).*")
_BEGIN = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*) <unfinished \.\.\.>")
_END = re.compile(r"(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)\) += (?P<result>-?\d+).*")
_FILE = re.compile(r"\d+<((?:\\x..)*)>")
_TEXT = re.compile(r'"((?:\\x..)*)"')


def read_log(log: Path) -> list[Call]:
    """Return the calls in a log that `recording` has made, in the order of their beginnings."""
    with log.open(encoding="ascii") as lines:
        return sorted(parse(lines), key=lambda call: call.begun)


def parse(lines: Iterator[str] | Sequence[str]) -> Iterator[Call]:
    """Yield the calls in a log, each where it ends; then those that never did."""
    open_calls: dict[str, tuple[int, str, str]] = {}
    for moment, line in enumerate(map(str.strip, lines)):
        if whole := _WHOLE.fullmatch(line):
            if int(whole["result"]) >= 0:
                yield _call(whole["name"], whole["rest"], moment, moment)
        elif begin := _BEGIN.fullmatch(line):
            open_calls[begin["pid"]] = (moment, begin["name"], begin["rest"])
        elif (end := _END.fullmatch(line)) and end["pid"] in open_calls:
            begun, name, first = open_calls.pop(end["pid"])
            if int(end["result"]) >= 0:
                yield _call(name, first + end["rest"], begun, moment)
    for begun, name, first in open_calls.values():
        yield _call(name, first, begun, NEVER)


def _call(name: str, arguments: str, begun: int, ended: int) -> Call:
    texts = [_unhex(text) for text in _TEXT.findall(arguments)]
    if name in ("unlink", "rename"):
        return Call(name, texts[0].decode(), begun, ended, b"".join(texts[1:]))
    file = _FILE.search(arguments)
    target = "" if file is None else _unhex(file[1]).decode()
    last = arguments.rpartition(",")[2].strip()
    number = int(last) if name in ("pwrite64", "ftruncate", "fallocate") else 0
    return Call(name, target, begun, ended, b"".join(texts), number)


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command and its reply, as they went through the server's sockets."""

    request: list[bytes]
    reply: Any
    """As hiredis reads it; None, too, when there was none."""
    asked: int
    """When the call ended that received the last of it."""
    answered: int
    """When the call began that sent the last of the reply; `NEVER` when there was none."""


def exchanges(calls: Sequence[Call]) -> list[Exchange]:
    """Return what clients have asked and were answered, in the order of the replies."""
    sockets = dict.fromkeys(call.target for call in calls if call.name in SOCKET)
    found = [each for socket in sockets for each in _conversation(calls, socket)]
    return sorted(found, key=lambda exchange: exchange.answered)


def _conversation(calls: Sequence[Call], socket: str) -> Iterator[Exchange]:
    heard = _messages([c for c in calls if (c.target, c.name) == (socket, "recvfrom")], begun=False)
    said = _messages([c for c in calls if (c.target, c.name) == (socket, "sendto")], begun=True)
    replies = iter(list(said))
    for request, asked in heard:
        reply, answered = next(replies, (None, NEVER))
        yield Exchange(request, reply, asked, answered)


def _messages(calls: Sequence[Call], *, begun: bool) -> Iterator[tuple[Any, int]]:
    """Yield each message in a stream, and when the call with its last byte began or ended."""
    reader = hiredis.Reader()
    for call in calls:
        reader.feed(call.data)
        while (message := reader.gets()) is not False:
            yield message, call.begun if begun else call.ended

"""No reply before its fsync, and whoever replies earlier is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import ordering
from tests.faults.strace import missing, parse

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

CLIENTS = 8
ROUNDS = 12


def test_every_reply_follows_the_fsync_of_its_commit(tmp_path: Path) -> None:
    """Pushes, claims and acks of several clients; and they share their fsyncs."""
    watched = ordering.watch(tmp_path, CLIENTS, ROUNDS)
    assert not watched.early
    assert watched.pushes == CLIENTS * ROUNDS
    assert 0 < watched.syncs < watched.operations


@pytest.mark.parametrize("altered", ["early_reply=1", "synchronous=1"])
def test_a_reply_before_its_fsync_is_noticed(tmp_path: Path, altered: str) -> None:
    """One that goes out before COMMIT, and one after a COMMIT that syncs nothing."""
    assert ordering.watch(tmp_path, 2, 6, altered).early


# -- The checker itself ----------------------------------------------------------------------------

SOCKET = "9<socket:[1]>"
WAL = "5</d/ezra.db-wal>"
PUSH = b"*5\r\n$4\r\nXADD\r\n$1\r\nq\r\n$1\r\n*\r\n$7\r\npayload\r\n$4\r\nMARK\r\n"
ASKED = ("recvfrom", SOCKET, PUSH, "65536, 0, NULL, NULL")
HEADER = ("pwrite64", WAL, bytes(4) + b"\0\0\0\7" + bytes(16), "24, 32")
"""Of a frame that ends a commit: the database has seven pages."""
MIDDLE = ("pwrite64", WAL, bytes(24), "24, 32")
PAGE = ("pwrite64", WAL, b"..MARK..", "8, 56")
SYNC = ("fdatasync", WAL, None, "")
SENT = ("sendto", SOCKET, b"$3\r\n7-0\r\n", "9, 0, NULL, 0")

Line = tuple[str, str, bytes | None, str]


def hexed(data: bytes) -> str:
    """Return bytes, or a path, as `strace -xx` writes them."""
    return "".join(f"\\x{byte:02x}" for byte in data)


def arguments(line: Line) -> str:
    """Return a call's arguments as strace writes them."""
    _, target, data, rest = line
    number, _, path = target.rstrip(">").partition("<")
    text = "" if data is None else f', "{hexed(data)}", {rest}'
    return f"{number}<{hexed(path.encode())}>{text}"


def whole(line: Line) -> str:
    """Return the line of a call that no other thread's interrupts."""
    return f"77  {line[0]}({arguments(line)}) = 1"


def begin(line: Line) -> str:
    """Return the line with which a call of another thread begins."""
    return f"78  {line[0]}({arguments(line)} <unfinished ...>"


def end(line: Line) -> str:
    """Return the line with which it ends."""
    return f"78  <... {line[0]} resumed>) = 1"


def early(*lines: str) -> int:
    """Return how many things the checker finds wrong in a log."""
    return len(ordering.early_replies(list(parse(lines))))


def test_a_log_in_order_is_accepted() -> None:
    """Received, written, synced, sent; also where the sync takes its time."""
    before = [whole(ASKED), whole(HEADER), whole(PAGE)]
    assert early(*before, whole(SYNC), whole(SENT)) == 0
    assert early(*before, begin(SYNC), end(SYNC), whole(SENT)) == 0


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([whole(HEADER), whole(PAGE), whole(SENT)], id="never-synced"),
        pytest.param([whole(SENT), whole(HEADER), whole(PAGE), whole(SYNC)], id="sent-first"),
        pytest.param(
            [whole(HEADER), whole(PAGE), begin(SYNC), whole(SENT), end(SYNC)],
            id="sent-while-it-syncs",
        ),
        pytest.param(
            [whole(HEADER), begin(SYNC), whole(PAGE), end(SYNC), whole(SENT)],
            id="synced-before-it-was-written",
        ),
        pytest.param([whole(MIDDLE), whole(PAGE), whole(SYNC), whole(SENT)], id="no-commit"),
        pytest.param([whole(SYNC), whole(SENT)], id="never-written"),
    ],
)
def test_a_log_out_of_order_is_not(lines: list[str]) -> None:
    """Whatever is missing or late, by either rule."""
    assert early(whole(ASKED), *lines) == 2


def test_a_failed_sync_does_not_count() -> None:
    """Only a call that succeeded has done something."""
    failed = f"77  fdatasync({arguments(SYNC)}) = -1 EIO (Input/output error) (INJECTED)"
    assert early(whole(ASKED), whole(HEADER), whole(PAGE), failed, whole(SENT)) == 2

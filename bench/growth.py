"""Files that already hold many tasks, filled over the wire: nothing here knows a table."""

from __future__ import annotations

from contextlib import closing

from bench.client import Address, BenchError, Link, command
from bench.workloads import claim_command, new_queue, push_command

_AT_ONCE = 500
"""Commands sent ahead of their replies: few enough for the kernel's socket buffers."""

_TOMORROW = b"86400"


def fill(address: Address, size: int) -> bytes:
    """Make a queue of `size` tasks, half done, half delayed until tomorrow; return its name.

    Raises:
        BenchError: the server's answers do not add up.
    """
    queue, half = new_queue(address), size // 2
    with closing(Link(address)) as link:
        _push(link, push_command(queue), half)
        _finish(link, queue, half)
        _push(link, push_command(queue, b"delay", _TOMORROW), half)
        length = link.ask(command(b"XLEN", queue))
    if length != half:
        raise BenchError(f"{half} tasks were delayed, but the queue holds {length!r}")
    return queue


def _push(link: Link, push: bytes, size: int) -> None:
    for done in range(0, size, _AT_ONCE):
        batch = min(_AT_ONCE, size - done)
        link.send(push * batch)
        for _ in range(batch):
            link.receive()


def _finish(link: Link, queue: bytes, size: int) -> None:
    """Claim everything with NOACK, which makes it done at once."""
    claim = claim_command(queue, b"filler", 1000, b"NOACK")
    finished = 0
    while finished < size:
        match link.ask(claim):
            case [[_, [*entries]]]:
                finished += len(entries)
            case reply:
                raise BenchError(f"a claim was answered {reply!r}")

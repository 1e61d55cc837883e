"""Where the halves of the core meet: every command that has an operation of its own."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import TABLE, XReadGroup, parse
from ezra.sansio.model import FOREVER, MILLISECOND, Address, NackMode, NewTask
from ezra.sansio.queue.operations import Ack, Claim, CreateQueue, Nack, Operation, Push, Reread
from ezra.sansio.translation import as_claim, as_operation, as_reread

NOW = 1_700_000_000_000_000
Q, DEAD = Address("q"), Address("q", dead=True)
ID = 5 << 20

CASES: list[tuple[str, Operation | None]] = [
    ("XADD q * payload x", Push("q", NewTask(payload=b"x"))),
    ("XADD q NOMKSTREAM * payload x", Push("q", NewTask(payload=b"x"), create=False)),
    ("XREADGROUP GROUP g ann STREAMS q >", Claim((Q,), "ann")),
    (
        "XREADGROUP GROUP g ann COUNT 7 BLOCK 3 NOACK STREAMS q q::dead > >",
        Claim((Q, DEAD), "ann", 7, NOW + 3 * MILLISECOND, done_at_once=True),
    ),
    ("XREADGROUP GROUP g ann BLOCK 0 STREAMS q >", Claim((Q,), "ann", deadline=FOREVER)),
    ("XREADGROUP GROUP g ann STREAMS q 0", None),
    ("XREADGROUP GROUP g ann STREAMS q r 0 >", None),
    ("XACK q g 5-0 6-0", Ack("q", (ID, 6 << 20))),
    ("XACK q::dead g 5-0", Ack("q", (ID,))),
    ("XDEL q 5-0", Nack("q", (ID,))),
    (
        "XNACK q g FATAL IDS 1 5-0 RETRYCOUNT 2 DELAY 0.5 REASON broken ATTEMPT 1",
        Nack("q", (ID,), NackMode.FATAL, 500 * MILLISECOND, "broken", attempt=1, attempts=2),
    ),
    ("XGROUP CREATE q g $ MKSTREAM", CreateQueue("q", "g")),
    ("XGROUP CREATE q g $", CreateQueue("q", "g", create=False)),
    ("XLEN q", None),
    ("PING", None),
]


@pytest.mark.parametrize(("line", "operation"), CASES)
def test_a_command_becomes_its_operation(line: str, operation: Operation | None) -> None:
    """Every argument arrives; a BLOCK counts from now."""
    assert as_operation(parse([word.encode() for word in line.split()]), NOW) == operation


def test_a_mixed_read_is_a_reread_and_a_claim_of_the_rest() -> None:
    """Its own tasks first; what they leave of the count is for new ones."""
    command = parse(b"XREADGROUP GROUP g ann COUNT 5 STREAMS q r 5-0 >".split())
    assert isinstance(command, XReadGroup)
    assert as_reread(command) == Reread(((Q, ID),), "ann", 5)
    assert as_claim(command, NOW, taken=2) == Claim((Address("r"),), "ann", 3)


def test_whatever_changes_a_queue_has_an_operation() -> None:
    """A command in the table that writes is one of the cases, or configures a queue."""
    writing = {name for name, command in TABLE.items() if "write" in command.SPEC.flags}
    covered = {name for name in TABLE if any(line.startswith(f"{name} ") for line, _ in CASES)}
    assert writing - covered == {"EZRA.QUEUE SET"}

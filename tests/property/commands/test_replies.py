"""The reply shapes that clients depend on, byte for byte in both protocols: see `shape_cases`."""

from __future__ import annotations

from itertools import chain

import pytest

from ezra.sansio.commands import TABLE
from tests.property.commands.books import DELIVERY
from tests.property.commands.error_cases import ERRORS
from tests.property.commands.shape_cases import FAMILIES, READ, Case, wire
from tests.property.wire import reply, reply_to

CASES = list(chain.from_iterable(FAMILIES.values()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.line)
def test_shape(case: Case) -> None:
    """Every reply has Redis' shape in RESP2 and in RESP3, to the byte."""
    assert reply(case.line, case.result, 2) == wire(case.resp2)
    assert reply(case.line, case.result, 3) == wire(case.resp3 or case.resp2)


@pytest.mark.parametrize("line", ERRORS)
def test_error(line: str) -> None:
    """A command that is wrong is answered with exactly this text, in both protocols."""
    expected = wire(f"-{ERRORS[line]} ")
    assert reply(line, protocol=2) == expected
    assert reply(line, protocol=3) == expected


def test_every_command_about_queues_has_a_shape() -> None:
    """The table leaves no command out; what HELP answers is a law of its own."""
    groups = {"queue", "keys", "ezra"}
    lines = [case.line.upper() for case in CASES]
    for name, command in TABLE.items():
        if command.SPEC.group in groups and not name.endswith("HELP"):
            assert any(line.startswith(f"{name} ") or line == name for line in lines), name


@pytest.mark.parametrize("container", ["XGROUP", "XINFO", "OBJECT"])
def test_help(container: str) -> None:
    """HELP names every subcommand with what it takes."""
    answer = reply(f"{container} HELP").decode()
    for name, command in TABLE.items():
        if name.startswith(f"{container} ") and not name.endswith("HELP"):
            taken = f"{name.removeprefix(container + ' ')} {command.SPEC.arguments}"
            assert f"+{taken}\r\n+    {command.SPEC.summary}\r\n" in answer
    assert answer.endswith("+HELP\r\n+    Print this help.\r\n")


def test_a_foreign_entry_comes_back_byte_for_byte() -> None:
    """Nothing is added to an entry without `payload`, and its fields keep their order."""
    entry = b"*2\r\n$3\r\n2-9\r\n*4\r\n$8\r\n__data__\r\n$2\r\n\x00\xff\r\n$3\r\nttl\r\n$1\r\nx\r\n"
    assert reply(READ, DELIVERY[1:], 3) == b"%1\r\n$1\r\nr\r\n*1\r\n" + entry


def test_what_is_repeated_is_binary_safe() -> None:
    """ECHO and PING give back any bytes."""
    assert reply_to([b"ECHO", b"\r\n\x00\xff"]) == b"$4\r\n\r\n\x00\xff\r\n"
    assert reply_to([b"PING", b"\xff"]) == b"$1\r\n\xff\r\n"

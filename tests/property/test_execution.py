"""Laws of `ezra.sansio.execution`: what is the engine's, and who answers the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import TABLE, Command, Exec, Ping, XAdd, XLen, parse
from ezra.sansio.execution import as_step, as_transact, fill, is_for_the_engine
from ezra.sansio.model import Address
from ezra.sansio.queue.looks import Length
from ezra.sansio.queue.operations import Push
from tests.property.wire import split

LINES = ["XADD q * payload x", "XLEN q", "PING", "INFO", "TIME", "CLIENT ID"]


@given(st.lists(st.sampled_from(LINES), max_size=8))
def test_every_answer_stands_in_its_place(lines: list[str]) -> None:
    """The engine's outcomes and the others' answers come together in the commands' order."""
    commands = tuple(parse(split(line)) for line in lines)
    whole = Exec(commands)
    steps = as_transact(whole, 0).steps
    expected = [command for command in commands if isinstance(command, XAdd | XLen)]
    assert [type(step) for step in steps] == [
        Push if isinstance(command, XAdd) else Length for command in expected
    ]
    answered: list[Command[Any]] = []

    def answer(command: Command[Any]) -> object:
        answered.append(command)
        return command

    assert fill(whole, expected, answer) == commands
    assert answered == [command for command in commands if not is_for_the_engine(command)]


def test_a_step_is_an_operation_or_a_look() -> None:
    """One of the two carries out each command about queues."""
    assert as_step(parse(split("XLEN q")), 0) == Length(Address("q"))


def test_what_is_not_translated_is_a_mistake() -> None:
    """A command that stands in the table and that nobody carries out does not pass for done."""
    with pytest.raises(AssertionError, match="PING stands in the table without a translation"):
        as_step(Ping(), 0)


def test_the_table_knows_whose_each_command_is() -> None:
    """Connection, server and transaction commands and helps are not the engine's; the rest are."""
    groups = {"connection", "server", "transactions"}
    for name, command in TABLE.items():
        about_queues = command.SPEC.group not in groups and not name.endswith(" HELP")
        if command is not Exec:
            assert is_for_the_engine(object.__new__(command)) == about_queues

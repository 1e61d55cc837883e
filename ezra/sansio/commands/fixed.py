"""Commands whose answer is always the same, whatever their arguments: a reply, or a refusal."""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from ezra.sansio.commands.base import Command
from ezra.sansio.commands.connection import ConnectionCommand, PlainCommand
from ezra.sansio.errors import CommandError
from ezra.sansio.resp.values import OK, SimpleString, Value
from ezra.sansio.session import Session


class FixedCommand(PlainCommand):
    """Always the same reply; OK where the command says no other."""

    __slots__ = ()
    REPLY: ClassVar[Value] = OK

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Nothing depends on the arguments."""
        return cls()

    def reply(self, result: None, protocol: int) -> Value:
        """The one there is."""
        return self.REPLY


class RefusedCommand(ConnectionCommand[None]):
    """Always the same error: Redis has such a command, EZRA has good reasons not to."""

    __slots__ = ()
    REFUSAL: ClassVar[str]

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Nothing depends on the arguments."""
        return cls()

    def answer(self, session: Session) -> CommandError:
        """Say why not."""
        return CommandError(self.REFUSAL)

    def reply(self, result: None, protocol: int) -> Value:
        """Never asked for."""
        raise AssertionError(f"{self.SPEC.name} is always answered with an error")


class HelpCommand(PlainCommand):
    """The subcommands of a container, for a person to read."""

    __slots__ = ()
    COMMANDS: ClassVar[tuple[type[Command[Any]], ...]]

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def reply(self, result: None, protocol: int) -> Value:
        """What each of them takes and does."""
        return _help_lines(self.COMMANDS)


def _help_lines(commands: Sequence[type[Command[Any]]]) -> Value:
    """Return of each subcommand what it takes and what it does, from its entry in the table."""
    container = commands[0].SPEC.name.split()[0]
    lines = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for command in commands:
        subcommand = command.SPEC.name.removeprefix(f"{container} ")
        call = f"{subcommand} {command.SPEC.arguments}".rstrip()
        lines += [call, f"    {command.SPEC.summary}"]
    lines += ["HELP", "    Print this help."]
    return tuple(SimpleString(line) for line in lines)

"""What a command is, and the table that all of them stand in.

A command is one frozen dataclass: its fields are its parsed arguments, `parse` makes it from the
words on the wire, `reply` makes the RESP value of its result, and `SPEC` says the rest in data. A
family of commands is one file; `ezra.sansio.commands.TABLE` finds them by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Self, TypeVar

from ezra.sansio.resp.values import Value

ResultT = TypeVar("ResultT", contravariant=True)


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command's entry in the table, from which COMMAND and the docs are made."""

    name: str
    """As Redis writes it in capitals; a subcommand is two words, `XGROUP CREATE`."""
    arguments: str
    """What follows the name, in the notation of the Redis documentation."""
    arity: int
    """As COMMAND INFO has it: words including the name(s); negative is a minimum."""
    summary: str
    """One line of help."""
    group: str
    """The family it is listed under in the docs."""
    replies: tuple[str, ...] = ()
    """Every possible reply, one line each, for the docs."""


class Command(ABC, Generic[ResultT]):
    """The base of all commands; `ResultT` is what whoever carries it out gives to `reply`."""

    __slots__ = ()
    SPEC: ClassVar[CommandSpec]

    @property
    def barrier(self) -> bool:
        """Whether its reply must be sent before the next command may be looked at."""
        return False

    @classmethod
    @abstractmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Make the command from the words after its name(s); their number fits the arity.

        Raises:
            CommandError: with the error reply as its text.
        """

    @abstractmethod
    def reply(self, result: ResultT, protocol: int) -> Value:
        """Return what goes back on the wire for the result, in RESP 2 or 3."""

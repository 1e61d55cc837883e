"""What a request means to a connection: outside a transaction, and between MULTI and EXEC.

Between the two, commands are kept and answered QUEUED; EXEC comes out with all of them in it, one
event for the driver. What cannot be kept is refused, and then EXEC aborts. `Transaction.admit` says
for each request that was read which event it is and which input to the connection's state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ezra.sansio.commands.base import Command
from ezra.sansio.commands.claims import XReadGroup
from ezra.sansio.commands.connection import ConnectionCommand, Quit, Reset
from ezra.sansio.commands.greeting import Auth
from ezra.sansio.commands.server import ServerCommand
from ezra.sansio.commands.transactions import Discard, Exec, Multi, Queued, Watch
from ezra.sansio.connection_state import IN_TRANSACTION, Input, State
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.session import Session

MAX_COMMANDS = 100_000
"""Commands of one transaction: they are carried out in one go, and whoever else wants to write
waits meanwhile. This many pushes take the SQLite engine a few seconds."""

MAX_OTHERS = 256
"""Commands among them that are about the connection or the server, and no queue. What they answer
is not weighed as an engine's answers are, and all of it is in memory at once: the longest of them,
COMMAND's, takes some 300 KB while it is put together."""

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of the words that one transaction keeps: what a client can make the server hold that never
sends its EXEC. Four of the largest payloads of the default `--max-payload-bytes`."""

WORD_COST = 64
"""Bytes that a word counts beside its own: what Python takes for it, so that a transaction of
empty words is bounded, too."""

NOT_IN_A_TRANSACTION: Final = "no_multi"
"""The flag, Redis' own, of a command that would change what the replies around it look like."""

EXEC: Final = Exec.SPEC.name.encode()

ENDING: dict[type[Command[Any]], Input] = {
    Discard: Input.FINISH,
    Quit: Input.QUIT,
    Reset: Input.BARRIER,
}
"""What is carried out at once between MULTI and EXEC, and gives up the transaction."""

ABOUT_TRANSACTIONS = frozenset({Multi, Exec, Discard, Quit})
"""What outside a transaction is more than a command, or a barrier. Looked up by type, which costs
every command less than an `isinstance` of an abstract class."""

REFUSED_INSIDE: dict[type[Command[Any]], str] = {
    Multi: Text.NESTED_MULTI,
    Watch: Text.WATCH_INSIDE_MULTI,
}
"""What is refused between MULTI and EXEC and, as in Redis, does not spoil the transaction."""


@dataclass(frozen=True, slots=True)
class BadCommand:
    """A command that cannot be carried out: `send` its error, and go on."""

    error: CommandError


Read = Command[Any] | BadCommand
"""What was read: a command, or why there is none."""


class Transaction:
    """The commands that one connection keeps between MULTI and EXEC."""

    __slots__ = ("_commands", "_others", "_session", "size")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._commands: list[Command[Any]] = []
        self._others = 0  # of them that are about no queue
        self.size = 0
        """The bytes that are kept, each word with its `WORD_COST`."""

    def admit(self, read: Read, words: Sequence[bytes], state: State) -> tuple[Read, Input]:
        """Return what the driver is to answer, and what happens to the connection.

        Args:
            read: the request as it was understood.
            words: the request as it came; none where it was too large to be read.
            state: where the connection stands: STRANGER, OPEN, COLLECTING or SPOILED.
        """
        if state not in IN_TRANSACTION:
            return self._outside(read)
        given = self._inside(read, words, state)
        if given[1] is Input.BAD:
            self._forget()
        elif given[1] is not Input.COMMAND:
            self.end()
        return given

    def end(self) -> None:
        """Forget what was kept: there is no transaction any more."""
        self._forget()
        self._session.queued = None

    def _outside(self, read: Read) -> tuple[Read, Input]:
        if isinstance(read, BadCommand):
            return read, Input.BAD
        if type(read) not in ABOUT_TRANSACTIONS:
            return read, Input.BARRIER if read.barrier else Input.COMMAND
        match read:
            case Multi():
                self._session.queued = 0
                return read, Input.BEGIN
            case Quit():
                return read, Input.QUIT
            case Exec():
                return _refusal(Text.EXEC_WITHOUT_MULTI), Input.BAD
            case _:
                return _refusal(Text.DISCARD_WITHOUT_MULTI), Input.BAD

    def _inside(self, read: Read, words: Sequence[bytes], state: State) -> tuple[Read, Input]:
        match read:
            case Exec():
                whole = state is State.COLLECTING
                kept = Exec(tuple(self._commands))
                if not whole:
                    return _refusal(Text.EXEC_ABORT), Input.FINISH
                return kept, Input.BARRIER if _changes_the_role(kept) else Input.FINISH
            case Discard() | Quit() | Reset():
                return read, ENDING[type(read)]
            case Multi() | Watch():
                return _refusal(REFUSED_INSIDE[type(read)]), Input.COMMAND
            case BadCommand():
                # A malformed EXEC ends the transaction all the same.
                ends = bool(words) and words[0].upper() == EXEC
                return read, Input.FINISH if ends else Input.BAD
            case _:
                return self._keep(read, words, state)

    def _keep(
        self, command: Command[Any], words: Sequence[bytes], state: State
    ) -> tuple[Read, Input]:
        """Keep the command until EXEC, if it may stand in a transaction and there is room."""
        if NOT_IN_A_TRANSACTION in command.SPEC.flags:
            return _refusal(Text.NOT_IN_TRANSACTION), Input.BAD
        if command.wrong:
            return _refusal(command.wrong), Input.BAD
        size = sum(map(len, words)) + WORD_COST * len(words)
        if len(self._commands) >= MAX_COMMANDS or self.size + size > MAX_BYTES:
            text = Text.TOO_LONG_TRANSACTION.format(commands=MAX_COMMANDS, size=MAX_BYTES)
            return _refusal(text), Input.BAD
        other = isinstance(command, ConnectionCommand | ServerCommand)
        if other and self._others >= MAX_OTHERS:
            return _refusal(Text.TOO_MANY_OTHERS.format(most=MAX_OTHERS)), Input.BAD
        if state is State.COLLECTING:
            self._others += other
            self._commands.append(_without_waiting(command))
            self.size += size
            self._session.queued = len(self._commands)
        return Queued(), Input.COMMAND

    def _forget(self) -> None:
        self._commands = []
        self._others = 0
        self.size = 0


def _changes_the_role(command: Exec) -> bool:
    """Tell whether what comes after EXEC may be another role's to decide: an AUTH is in it."""
    return any(type(each) is Auth for each in command.commands)


def _without_waiting(command: Command[Any]) -> Command[Any]:
    """Return the command as a transaction carries it out, where nothing waits for a task."""
    return replace(command, block=None) if isinstance(command, XReadGroup) else command


def _refusal(text: str) -> BadCommand:
    return BadCommand(CommandError(text))

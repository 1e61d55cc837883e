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

from ezra.sansio.model import Delivery
from ezra.sansio.resp.values import Value
from ezra.sansio.rights import wire_name
from ezra.sansio.session import Session

ResultT_contra = TypeVar("ResultT_contra", contravariant=True)

CATEGORIES = (
    *("keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap"),
    *("hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous"),
    *("connection", "transaction", "scripting"),
)
"""Redis' ACL categories, in its order."""

_CATEGORY_OF = {
    "write": "write",
    "readonly": "read",
    "blocking": "blocking",
    "admin": "admin",
    "queue": "stream",
    "keys": "keyspace",
    "transactions": "transaction",
}
"""By a command's flag or group."""


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
    """Every possible reply, one line each, for the docs. Errors that every command can meet (wrong
    arity, a syntax error, the engine's) are not repeated."""
    flags: tuple[str, ...] = ()
    """Redis' flags for COMMAND INFO."""
    since: str = "0.1.0"
    """EZRA's version that had it first."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Redis' ACL categories that the command belongs to."""
        found = [_CATEGORY_OF[flag] for flag in self.flags if flag in _CATEGORY_OF]
        kind = _CATEGORY_OF.get(self.group, self.group)
        pace = "fast" if "fast" in self.flags else "slow"
        return tuple(word for word in (*found, kind, pace) if word in CATEGORIES)

    @property
    def wire_name(self) -> str:
        """As Redis' replies and error texts write it: `xadd`, `xgroup|create`."""
        return wire_name(self.name)

    def fits(self, words: int) -> bool:
        """Whether a command of so many words, names included, has the right length."""
        return words == self.arity if self.arity >= 0 else words >= -self.arity


class Command(ABC, Generic[ResultT_contra]):
    """The base of all commands; its type argument is what `reply` takes, the result."""

    __slots__ = ()
    SPEC: ClassVar[CommandSpec]

    @property
    def barrier(self) -> bool:
        """Whether its reply must be sent before the next command may be looked at."""
        return False

    @property
    def wrong(self) -> str:
        """The error that it is answered with, unless what it names is missing; empty when well.

        Redis looks for a key before it reads on, so such a command is carried out as a question. In
        a transaction, which must not fail when it is too late, it is refused at once.
        """
        return ""

    def adapted(self, session: Session) -> Self:  # noqa: ARG002 - for subclasses
        """Return the command as this client can bear its answer; most clients bear any."""
        return self

    def handed_out(self, result: ResultT_contra) -> tuple[Delivery, ...]:  # noqa: ARG002 - for subclasses
        """Return the tasks that the reply hands to the worker: released if it cannot be sent."""
        return ()

    def take_effect(self, result: ResultT_contra, session: Session) -> None:
        """Change how the connection speaks from this reply on; called as the reply is made."""

    @classmethod
    @abstractmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Make the command from the words after its name(s); their number fits the arity.

        Raises:
            CommandError: with the error reply as its text.
        """

    @abstractmethod
    def reply(self, result: ResultT_contra, protocol: int) -> Value:
        """Return what goes back on the wire for the result, in RESP 2 or 3."""

"""The commands about groups, which are names only: every group drinks from the same queue.

The workers of a group are those who have asked through it since the server started, and whoever
holds tasks of its queue.
"""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, address, id_halves, integer, text
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.fixed import HelpCommand
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import Address
from ezra.sansio.resp.values import OK, Value


@dataclass(frozen=True, slots=True)
class XGroupCreate(Command[None]):
    """Make the group's name known; a name that is known already is as good."""

    address: Address
    group: str
    create: bool = False
    """MKSTREAM: create the queue where there is none."""

    SPEC: ClassVar = CommandSpec(
        name="XGROUP CREATE",
        arguments="queue group id|$ [MKSTREAM] [ENTRIESREAD entries-read]",
        arity=-5,
        summary="Make a group's name known. Idempotent; the id hides no task.",
        group="queue",
        replies=("OK", Text.XGROUP_NEEDS_QUEUE, Text.INVALID_ID, Text.ENTRIES_READ),
        flags=("write",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Where a group would start reading means nothing here, but must be well formed."""
        queue, group = address(arguments[0]), text("group", arguments[1])
        if arguments[2] != b"$":
            id_halves(arguments[2])
        words, create = Words(arguments[3:]), False
        while words.left:
            if words.take_if(b"MKSTREAM"):
                create = True
            else:
                _take_entries_read(words, "CREATE")
        return cls(queue, group, create)

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


def _take_entries_read(words: Words, subcommand: str) -> None:
    """Take ENTRIESREAD and its number, which mean nothing here; anything else is an error."""
    if not (words.take_if(b"ENTRIESREAD") and words.left):
        raise CommandError(Text.WRONG_SUBCOMMAND.format(name=subcommand, command="XGROUP"))
    if integer(words.take()) < -1:
        raise CommandError(Text.ENTRIES_READ)


@dataclass(frozen=True, slots=True)
class XGroupSetId(Command[None]):
    """Check that the group is there. It has no position that could be set."""

    address: Address
    group: str

    SPEC: ClassVar = CommandSpec(
        name="XGROUP SETID",
        arguments="queue group id|$ [ENTRIESREAD entries-read]",
        arity=-5,
        summary="Accepted where the group is known; a group has no position, so nothing changes.",
        group="queue",
        replies=(
            "OK",
            Text.XGROUP_NEEDS_QUEUE,
            Text.NO_SUCH_GROUP,
            Text.INVALID_ID,
            Text.ENTRIES_READ,
        ),
        flags=("write",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """As XGROUP CREATE; here Redis takes `-` and `+` for ids, too."""
        queue, group = address(arguments[0]), text("group", arguments[1])
        if arguments[2] not in (b"$", b"-", b"+"):
            id_halves(arguments[2])
        words = Words(arguments[3:])
        while words.left:
            _take_entries_read(words, "SETID")
        return cls(queue, group)

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


@dataclass(frozen=True, slots=True)
class XGroupDestroy(Command[int]):
    """Forget the group's name; no task changes. Answers whether it was known."""

    address: Address
    group: str

    SPEC: ClassVar = CommandSpec(
        name="XGROUP DESTROY",
        arguments="queue group",
        arity=4,
        summary="Forget a group's name and its workers. Tasks stay as they are.",
        group="queue",
        replies=("integer: 1 if the group was known, else 0", Text.XGROUP_NEEDS_QUEUE),
        flags=("write",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A queue and a group."""
        return cls(address(arguments[0]), text("group", arguments[1]))

    def reply(self, result: int, protocol: int) -> Value:
        """1 or 0."""
        return int(result)


@dataclass(frozen=True, slots=True)
class XGroupCreateConsumer(Command[int]):
    """Make a worker known in a group. Answers whether it was not."""

    address: Address
    group: str
    worker: str

    SPEC: ClassVar = CommandSpec(
        name="XGROUP CREATECONSUMER",
        arguments="queue group worker",
        arity=5,
        summary="Make a worker known in a group, which its first claim does, too.",
        group="queue",
        replies=(
            "integer: 1 if the worker was not known, else 0",
            Text.XGROUP_NEEDS_QUEUE,
            Text.NO_SUCH_GROUP,
        ),
        flags=("write",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A queue, a group and a worker."""
        return cls(address(arguments[0]), text("group", arguments[1]), text("worker", arguments[2]))

    def reply(self, result: int, protocol: int) -> Value:
        """1 or 0."""
        return int(result)


@dataclass(frozen=True, slots=True)
class XGroupDelConsumer(XGroupCreateConsumer):
    """Forget a worker and release its tasks. Answers how many it held."""

    SPEC: ClassVar = CommandSpec(
        name="XGROUP DELCONSUMER",
        arguments="queue group worker",
        arity=5,
        summary="Forget a worker and release the tasks of the queue that it holds: "
        "those claims never counted.",
        group="queue",
        replies=(
            "integer: how many tasks were released",
            Text.XGROUP_NEEDS_QUEUE,
            Text.NO_SUCH_GROUP,
            Text.DONE_IN_PART,
        ),
        flags=("write",),
    )


@dataclass(frozen=True, slots=True)
class XGroupHelp(HelpCommand):
    """The subcommands of XGROUP."""

    COMMANDS: ClassVar = (
        XGroupCreate,
        XGroupSetId,
        XGroupDestroy,
        XGroupCreateConsumer,
        XGroupDelConsumer,
    )
    SPEC: ClassVar = CommandSpec(
        name="XGROUP HELP",
        arguments="",
        arity=2,
        summary="The subcommands of XGROUP.",
        group="queue",
        replies=("array: lines of text",),
    )

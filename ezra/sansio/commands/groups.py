"""The commands about groups, which are names only: every group drinks from the same queue."""

# ruff: noqa: ARG002 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.arguments import Words, address, id_halves, integer, text
from ezra.sansio.commands.base import Command, CommandSpec
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
            elif words.take_if(b"ENTRIESREAD") and words.left:
                _check_entries_read(words.take())
            else:
                raise CommandError(Text.WRONG_SUBCOMMAND.format(name="CREATE", command="XGROUP"))
        return cls(queue, group, create)

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


def _check_entries_read(word: bytes) -> None:
    if integer(word) < -1:
        raise CommandError(Text.ENTRIES_READ)

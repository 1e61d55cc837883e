"""The table of all commands, and COMMAND, which shows it and stands in it.

A name is one word, or two where the first is a *container* (`XGROUP CREATE`); COMMAND itself is
both. Adding a command means adding its class to its family here.
"""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ezra.sansio.commands import (
    claims,
    client,
    connection,
    groups,
    inspection,
    nacks,
    queues,
    tasks,
)
from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.resp.scalars import to_text
from ezra.sansio.resp.values import Map, Set, SimpleString, Value


@dataclass(frozen=True, slots=True)
class CommandAll(connection.PlainCommand):
    """Every command, in the form of COMMAND INFO."""

    SPEC: ClassVar = CommandSpec(
        name="COMMAND",
        arguments="",
        arity=-1,
        summary="Every command: name, arity, flags, keys.",
        group="connection",
        replies=("array: what COMMAND INFO answers, for every command",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments: with one it would be a subcommand."""
        return cls()

    def reply(self, result: None, protocol: int) -> Value:
        """One array a command."""
        return tuple(_info(name) for name in _TOP)


@dataclass(frozen=True, slots=True)
class CommandCount(connection.PlainCommand):
    """How many commands there are."""

    SPEC: ClassVar = CommandSpec(
        name="COMMAND COUNT",
        arguments="",
        arity=2,
        summary="How many commands there are, subcommands not counted.",
        group="connection",
        replies=("integer: how many",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def reply(self, result: None, protocol: int) -> Value:
        """The number of names without a subcommand."""
        return len(_TOP)


@dataclass(frozen=True, slots=True)
class CommandList(connection.PlainCommand):
    """The names of all commands."""

    SPEC: ClassVar = CommandSpec(
        name="COMMAND LIST",
        arguments="",
        arity=2,
        summary="The names of all commands.",
        group="connection",
        replies=("array: the names",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def reply(self, result: None, protocol: int) -> Value:
        """The names, subcommands left out."""
        return tuple(name.lower().encode() for name in _TOP)


@dataclass(frozen=True, slots=True)
class CommandInfo(connection.PlainCommand):
    """Name, arity, flags and keys of some commands; of all where none is named."""

    names: tuple[str, ...] = ()

    SPEC: ClassVar = CommandSpec(
        name="COMMAND INFO",
        arguments="[name ...]",
        arity=-2,
        summary="Name, arity, flags and keys of the commands named.",
        group="connection",
        replies=("array: for each command an array of ten, or null where it is unknown",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Names in any case; a subcommand is written `xgroup|create`."""
        return cls(tuple(_table_name(word) for word in arguments))

    def reply(self, result: None, protocol: int) -> Value:
        """One array a command, in the order asked for."""
        return tuple(_info(name) if name in _SPECS else None for name in self.names or _TOP)


@dataclass(frozen=True, slots=True)
class CommandDocs(connection.PlainCommand):
    """The help of some commands; of all where none is named."""

    names: tuple[str, ...] = ()

    SPEC: ClassVar = CommandSpec(
        name="COMMAND DOCS",
        arguments="[name ...]",
        arity=-2,
        summary="The help of the commands named.",
        group="connection",
        replies=("map (RESP3) or flat array (RESP2): name -> summary, since, group, subcommands",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Names in any case; a subcommand is written `xgroup|create`."""
        return cls(tuple(_table_name(word) for word in arguments))

    def reply(self, result: None, protocol: int) -> Value:
        """One map a command; what is unknown is left out."""
        return _docs(name for name in self.names or _TOP if name in _SPECS)


_FAMILIES: tuple[tuple[type[Command[Any]], ...], ...] = (
    (connection.Hello, connection.Ping, connection.Echo, connection.Select, connection.Quit),
    (client.ClientSetName, client.ClientGetName, client.ClientId, client.ClientSetInfo),
    (CommandAll, CommandCount, CommandList, CommandInfo, CommandDocs),
    (tasks.XAdd, claims.XReadGroup, tasks.XAck, nacks.XDel, nacks.XNack),
    (inspection.XLen, inspection.XInfoStream, groups.XGroupCreate),
    (queues.QueueList, queues.QueueGet, queues.QueueSet),
)

TABLE: Mapping[str, type[Command[Any]]] = {
    command.SPEC.name: command for family in _FAMILIES for command in family
}
"""Every command by its name in capitals; the docs list them in this order."""

_SPECS: Mapping[str, CommandSpec] = {
    container: CommandSpec(container, "subcommand", -2, f"The subcommands of {container}.", group)
    for container, group in (
        (name.split()[0], command.SPEC.group) for name, command in TABLE.items() if " " in name
    )
} | {name: command.SPEC for name, command in TABLE.items()}
"""What COMMAND shows: TABLE's specs, and one for each container."""

_TOP = tuple(dict.fromkeys(name.split()[0] for name in TABLE))


def _table_name(word: bytes) -> str:
    return to_text(word.upper()).replace("|", " ")


def _subcommands(container: str) -> tuple[str, ...]:
    return tuple(name for name in TABLE if name.startswith(container + " "))


def _info(name: str) -> Value:
    """Return the ten items of COMMAND INFO."""
    spec = _SPECS[name]
    # Where the first argument is a queue it is the one key; XREADGROUP's keys move.
    key = len(name.split()) if spec.arguments.startswith("queue") else 0
    return (
        spec.wire_name.encode(),
        spec.arity,
        Set(tuple(SimpleString(flag) for flag in spec.flags)),
        key,
        key,
        min(key, 1),
        Set(()),  # ACL categories
        (),  # tips
        (),  # key specifications
        tuple(_info(subcommand) for subcommand in _subcommands(name)),
    )


def _docs(names: Iterable[str]) -> Map:
    return Map(tuple((_SPECS[name].wire_name.encode(), _doc(name)) for name in names))


def _doc(name: str) -> Map:
    spec = _SPECS[name]
    pairs: list[tuple[Value, Value]] = [
        (b"summary", spec.summary.encode()),
        (b"since", spec.since.encode()),
        (b"group", spec.group.encode()),
    ]
    if subcommands := _subcommands(name):
        pairs.append((b"subcommands", _docs(subcommands)))
    return Map(tuple(pairs))

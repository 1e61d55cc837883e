"""The table of all commands, and COMMAND, which shows it and stands in it.

A name is one word, or two where the first is a *container* (`XGROUP CREATE`); COMMAND itself is
both. Adding a command means adding its class to its family here.
"""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ezra.sansio.commands import (
    backup,
    claims,
    client,
    clients,
    compat,
    config,
    connection,
    diagnostics,
    erasing,
    fixed,
    greeting,
    groups,
    info,
    inspection,
    keyfacts,
    keys,
    kill,
    nacks,
    pending,
    queues,
    ranges,
    server,
    tasks,
    tracking,
    transactions,
)
from ezra.sansio.commands.arguments import shown
from ezra.sansio.commands.base import CATEGORIES, Command, CommandSpec
from ezra.sansio.commands.catalogue import Catalogue, table_name
from ezra.sansio.commands.glob import check_pattern, matcher
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.resp.scalars import to_text
from ezra.sansio.resp.values import Value


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
        return tuple(_CATALOGUE.info(name) for name in _CATALOGUE.top)


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
        return len(_CATALOGUE.top)


@dataclass(frozen=True, slots=True)
class CommandList(connection.PlainCommand):
    """The names of all commands, or of those that a filter lets through."""

    category: str | None = None
    pattern: bytes | None = None
    module: bytes | None = None

    SPEC: ClassVar = CommandSpec(
        name="COMMAND LIST",
        arguments="[FILTERBY MODULE name | ACLCAT category | PATTERN pattern]",
        arity=-2,
        summary="The names of all commands, or of some.",
        group="connection",
        replies=("array: the names",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """One filter at most."""
        match [word.upper() for word in arguments[:2]], len(arguments):
            case [], 0:
                return cls()
            case [b"FILTERBY", b"MODULE"], 3:
                return cls(module=arguments[2])
            case [b"FILTERBY", b"ACLCAT"], 3:
                return cls(category=to_text(arguments[2].lower()))
            case [b"FILTERBY", b"PATTERN"], 3:
                return cls(pattern=check_pattern(arguments[2]))
            case _:
                raise CommandError(Text.SYNTAX)

    def reply(self, result: None, protocol: int) -> Value:
        """The names; subcommands among them only where a filter asks for them, as in Redis."""
        names = _CATALOGUE.top if self.category is None else _CATALOGUE.in_category(self.category)
        written = [_CATALOGUE.spec(name).wire_name.encode() for name in names]
        if self.module is not None:
            # The commands of EZRA's own style are its module's.
            written = [name for name in written if name.startswith(self.module.lower() + b".")]
        fits = matcher(b"*" if self.pattern is None else self.pattern.lower())
        return tuple(name for name in written if fits(name))


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
        replies=(
            "array: for each command an array of ten, or null where it is unknown",
            Text.NAMED_TWICE,
        ),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Names in any case; a subcommand is written `xgroup|create`."""
        return cls(_names(arguments))

    def reply(self, result: None, protocol: int) -> Value:
        """One array a command, in the order asked for."""
        names = self.names or _CATALOGUE.top
        return tuple(_CATALOGUE.info(name) if name in _CATALOGUE else None for name in names)


def _names(arguments: Sequence[bytes]) -> tuple[str, ...]:
    """Return the names of commands, no known one twice: what is told of one can be 17 KB."""
    names = tuple([table_name(word) for word in arguments])
    for name, times in Counter(names).items():
        if times > 1 and name in _CATALOGUE:
            raise CommandError(Text.NAMED_TWICE.format(name=_CATALOGUE.spec(name).wire_name))
    return names


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
        replies=(
            "map (RESP3) or flat array (RESP2): name -> summary, since, group, subcommands",
            Text.NAMED_TWICE,
        ),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Names in any case; a subcommand is written `xgroup|create`."""
        return cls(_names(arguments))

    def reply(self, result: None, protocol: int) -> Value:
        """One map a command; what is unknown is left out."""
        names = self.names or _CATALOGUE.top
        return _CATALOGUE.docs(name for name in names if name in _CATALOGUE)


@dataclass(frozen=True, slots=True)
class CommandGetKeys(connection.PlainCommand):
    """Which words of a command are keys."""

    keys: tuple[bytes, ...]

    SPEC: ClassVar = CommandSpec(
        name="COMMAND GETKEYS",
        arguments="command [argument ...]",
        arity=-3,
        summary="Which words of a command are keys, that is queues.",
        group="connection",
        replies=("array: the keys", Text.INVALID_COMMAND, Text.INVALID_ARGUMENTS, Text.NO_KEYS),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """A whole command."""
        return cls(_CATALOGUE.keys(arguments))

    def reply(self, result: None, protocol: int) -> Value:
        """The keys, in order."""
        return self.keys


@dataclass(frozen=True, slots=True)
class CommandHelp(fixed.HelpCommand):
    """The subcommands of COMMAND."""

    COMMANDS: ClassVar = (CommandCount, CommandDocs, CommandGetKeys, CommandInfo, CommandList)
    SPEC: ClassVar = CommandSpec(
        name="COMMAND HELP",
        arguments="",
        arity=2,
        summary="The subcommands of COMMAND.",
        group="connection",
        replies=("array: lines of text",),
    )


@dataclass(frozen=True, slots=True)
class AclCat(connection.PlainCommand):
    """Redis' categories of commands, or the commands of one."""

    category: str | None = None

    SPEC: ClassVar = CommandSpec(
        name="ACL CAT",
        arguments="[category]",
        arity=-2,
        summary="The categories of commands, or the commands of one.",
        group="server",
        replies=("array: names", Text.NO_CATEGORY),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """At most one category."""
        if len(arguments) > 1:
            raise CommandError(Text.WRONG_SUBCOMMAND.format(name="CAT", command="ACL"))
        if not arguments:
            return cls()
        category = to_text(arguments[0].lower())
        if category not in CATEGORIES:
            raise CommandError(Text.NO_CATEGORY.format(name=shown(arguments[0])))
        return cls(category)

    def reply(self, result: None, protocol: int) -> Value:
        """The names."""
        if self.category is None:
            return tuple(category.encode() for category in CATEGORIES)
        names = _CATALOGUE.in_category(self.category)
        return tuple(_CATALOGUE.spec(name).wire_name.encode() for name in names)


@dataclass(frozen=True, slots=True)
class AclHelp(fixed.HelpCommand):
    """The subcommands of ACL."""

    COMMANDS: ClassVar = (AclCat, compat.AclList, compat.AclUsers, compat.AclWhoAmI)
    SPEC: ClassVar = CommandSpec(
        name="ACL HELP",
        arguments="",
        arity=2,
        summary="The subcommands of ACL.",
        group="server",
        replies=("array: lines of text",),
    )


_FAMILIES: tuple[tuple[type[Command[Any]], ...], ...] = (
    (greeting.Hello, greeting.Auth, connection.Ping, connection.Echo, connection.Select),
    (connection.Quit, connection.Reset),
    (client.ClientSetName, client.ClientGetName, client.ClientId, client.ClientSetInfo),
    (client.ClientReply, client.ClientNoEvict, client.ClientNoTouch),
    (clients.ClientList, clients.ClientInfo, kill.ClientKill, clients.ClientUnblock),
    (clients.ClientPause, clients.ClientUnpause),
    (tracking.ClientTracking, tracking.ClientTrackingInfo),
    (tracking.ClientGetRedir, tracking.ClientCaching),
    (kill.ClientHelp,),
    (CommandAll, CommandCount, CommandList, CommandInfo, CommandDocs),
    (CommandGetKeys, CommandHelp),
    (transactions.Multi, transactions.Exec, transactions.Discard),
    (transactions.Watch, transactions.Unwatch),
    (tasks.XAdd, claims.XReadGroup, tasks.XAck, nacks.XDel, nacks.XNack),
    (pending.XPending, pending.XClaim, pending.XAutoClaim),
    (erasing.XAckDel, erasing.XDelEx, erasing.XTrim),
    (inspection.XLen, ranges.XRange, ranges.XRevRange),
    (inspection.XInfoStream, inspection.XInfoGroups, inspection.XInfoConsumers),
    (inspection.XInfoHelp,),
    (groups.XGroupCreate, groups.XGroupCreateConsumer, groups.XGroupDelConsumer),
    (groups.XGroupDestroy, groups.XGroupSetId, groups.XGroupHelp, queues.XCfgSet),
    (keys.Del, keys.Unlink, keys.Exists, keys.Keys, keys.Scan, keys.RandomKey, keys.DbSize),
    (keyfacts.Type, keyfacts.Ttl, keyfacts.PTtl, keyfacts.ExpireTime, keyfacts.PExpireTime),
    (keyfacts.ObjectEncoding, keyfacts.ObjectIdleTime, keyfacts.ObjectHelp),
    (keyfacts.MemoryUsage, keyfacts.ZCount),
    (queues.QueueList, queues.QueueGet, queues.QueueSet, backup.Backup),
    (info.Info, server.Time, server.Wait, server.WaitAof, server.Role),
    (config.ConfigGet, config.ConfigSet, config.ConfigRewrite, config.ConfigResetStat),
    (config.ConfigHelp, compat.Cluster, compat.ModuleList, compat.ModuleHelp),
    (diagnostics.SlowLogGet, diagnostics.SlowLogLen, diagnostics.SlowLogReset),
    (diagnostics.SlowLogHelp, diagnostics.LatencyLatest, diagnostics.LatencyHistory),
    (diagnostics.LatencyGraph, diagnostics.LatencyReset, diagnostics.LatencyHistogram),
    (diagnostics.LatencyDoctor, diagnostics.LatencyHelp),
    (compat.ScriptExists, compat.ScriptLoad, compat.ScriptHelp),
    (compat.AclWhoAmI, compat.AclUsers, compat.AclList, AclCat, AclHelp),
)

TABLE: Mapping[str, type[Command[Any]]] = {
    command.SPEC.name: command for family in _FAMILIES for command in family
}
"""Every command by its name in capitals; the docs list them in this order."""

_CATALOGUE = Catalogue(TABLE)

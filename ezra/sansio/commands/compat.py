"""What libraries ask of every Redis and EZRA has nothing of: a cluster, scripts, several users.

Each is answered as by a Redis that stands alone, so that they go on, or refused with the reason.
Nothing here pretends to have done what it did not.
"""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.connection import ConnectionCommand, PlainCommand
from ezra.sansio.commands.fixed import FixedCommand, HelpCommand, RefusedCommand
from ezra.sansio.commands.greeting import module_of
from ezra.sansio.errors import Text
from ezra.sansio.resp.values import Value
from ezra.sansio.session import ServerIdentity, Session


@dataclass(frozen=True, slots=True)
class Cluster(RefusedCommand):
    """Answered as by a Redis that stands alone."""

    REFUSAL: ClassVar = Text.NO_CLUSTER
    SPEC: ClassVar = CommandSpec(
        name="CLUSTER",
        arguments="subcommand [argument ...]",
        arity=-2,
        summary="Not supported: EZRA is one server.",
        group="server",
        replies=(Text.NO_CLUSTER,),
    )


@dataclass(frozen=True, slots=True)
class ModuleList(ConnectionCommand[ServerIdentity]):
    """The modules: EZRA itself."""

    SPEC: ClassVar = CommandSpec(
        name="MODULE LIST",
        arguments="",
        arity=2,
        summary="The modules: EZRA itself is shown as one.",
        group="server",
        replies=("array: one map (RESP3) or flat array (RESP2): name, ver, path, args",),
        flags=("admin",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, session: Session) -> ServerIdentity:
        """Who answers."""
        return session.identity

    def reply(self, result: ServerIdentity, protocol: int) -> Value:
        """The same as in HELLO."""
        return (module_of(result.module_version),)


@dataclass(frozen=True, slots=True)
class ModuleHelp(HelpCommand):
    """The subcommands of MODULE."""

    COMMANDS: ClassVar = (ModuleList,)
    SPEC: ClassVar = CommandSpec(
        name="MODULE HELP",
        arguments="",
        arity=2,
        summary="The subcommands of MODULE.",
        group="server",
        replies=("array: lines of text",),
    )


@dataclass(frozen=True, slots=True)
class ScriptExists(PlainCommand):
    """Which of these scripts are there: none, as none can be."""

    count: int

    SPEC: ClassVar = CommandSpec(
        name="SCRIPT EXISTS",
        arguments="sha1 [sha1 ...]",
        arity=-3,
        summary="Which of these scripts are there: none, EZRA runs no scripts.",
        group="server",
        replies=("array: 0 for each",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Whichever are meant."""
        return cls(len(arguments))

    def reply(self, result: None, protocol: int) -> Value:
        """None of them."""
        return (0,) * self.count


@dataclass(frozen=True, slots=True)
class ScriptLoad(RefusedCommand):
    """Refused: what was loaded here would never run."""

    REFUSAL: ClassVar = Text.NO_SCRIPTS
    SPEC: ClassVar = CommandSpec(
        name="SCRIPT LOAD",
        arguments="script",
        arity=3,
        summary="Not supported: EZRA runs no scripts.",
        group="server",
        replies=(Text.NO_SCRIPTS,),
    )


@dataclass(frozen=True, slots=True)
class AclWhoAmI(FixedCommand):
    """Who one is: there is one user."""

    REPLY: ClassVar = b"default"
    SPEC: ClassVar = CommandSpec(
        name="ACL WHOAMI",
        arguments="",
        arity=2,
        summary="Who this connection is logged in as: there is one user, default.",
        group="server",
        replies=("bulk string: default",),
    )


@dataclass(frozen=True, slots=True)
class AclUsers(FixedCommand):
    """Who there is."""

    REPLY: ClassVar = (b"default",)
    SPEC: ClassVar = CommandSpec(
        name="ACL USERS",
        arguments="",
        arity=2,
        summary="The names of all users: there is one, default.",
        group="server",
        replies=("array: default",),
        flags=("admin",),
    )


@dataclass(frozen=True, slots=True)
class AclList(FixedCommand):
    """Who may do what: everybody, everything."""

    REPLY: ClassVar = (b"user default on nopass ~* &* +@all",)
    SPEC: ClassVar = CommandSpec(
        name="ACL LIST",
        arguments="",
        arity=2,
        summary="Who may do what: everybody everything.",
        group="server",
        replies=("array: user default on nopass ~* &* +@all",),
        flags=("admin",),
    )


@dataclass(frozen=True, slots=True)
class ScriptHelp(HelpCommand):
    """The subcommands of SCRIPT."""

    COMMANDS: ClassVar = (ScriptExists, ScriptLoad)
    SPEC: ClassVar = CommandSpec(
        name="SCRIPT HELP",
        arguments="",
        arity=2,
        summary="The subcommands of SCRIPT.",
        group="server",
        replies=("array: lines of text",),
    )

"""What libraries ask of every Redis and EZRA has nothing of: a cluster, scripts, lists of users.

Each is answered as by a Redis that stands alone, so that they go on, or refused with the reason.
Nothing here pretends to have done what it did not.
"""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.access import Role
from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.connection import ConnectionCommand, PlainCommand
from ezra.sansio.commands.fixed import HelpCommand, RefusedCommand
from ezra.sansio.commands.greeting import module_of
from ezra.sansio.errors import Text
from ezra.sansio.resp.values import Value
from ezra.sansio.rights import RIGHTS, wire_name
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
class AclWhoAmI(ConnectionCommand[Role]):
    """Who one is."""

    SPEC: ClassVar = CommandSpec(
        name="ACL WHOAMI",
        arguments="",
        arity=2,
        summary="Who this connection is logged in as.",
        group="server",
        replies=("bulk string: default, push or work",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, session: Session) -> Role:
        """The session's role."""
        return session.role

    def reply(self, result: Role, protocol: int) -> Value:
        """The name of its user."""
        return result.value.encode()


@dataclass(frozen=True, slots=True)
class AclUsers(ConnectionCommand[tuple[Role, ...]]):
    """Who there is."""

    SPEC: ClassVar = CommandSpec(
        name="ACL USERS",
        arguments="",
        arity=2,
        summary="The names of all users: default, and push and work where they have passwords.",
        group="server",
        replies=("array: names",),
        flags=("admin",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, session: Session) -> tuple[Role, ...]:
        """Who can log in."""
        return session.access.roles

    def reply(self, result: tuple[Role, ...], protocol: int) -> Value:
        """Their names."""
        return tuple(role.value.encode() for role in result)


@dataclass(frozen=True, slots=True)
class AclList(ConnectionCommand[tuple[str, ...]]):
    """Who may do what. Unlike Redis' it has no digests of passwords: those can be guessed from."""

    SPEC: ClassVar = CommandSpec(
        name="ACL LIST",
        arguments="",
        arity=2,
        summary="Who may do what, a line for each user; passwords are not shown.",
        group="server",
        replies=("array: user default on nopass ~* &* +@all, or lines like it",),
        flags=("admin",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, session: Session) -> tuple[str, ...]:
        """A line for each who can log in."""
        nopass = "" if session.access.needed else "nopass "
        return tuple(
            f"user {role.value} on {nopass}~* &* {_rights(role)}" for role in session.access.roles
        )

    def reply(self, result: tuple[str, ...], protocol: int) -> Value:
        """The lines."""
        return tuple(line.encode() for line in result)


def _rights(role: Role) -> str:
    """Return what a role may do, as Redis writes it."""
    if role is Role.DEFAULT:
        return "+@all"
    return " ".join(["-@all", *[f"+{name}" for name in sorted(map(wire_name, RIGHTS[role]))]])


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

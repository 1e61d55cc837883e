"""CONFIG: the settings under Redis' names; only the server's start sets them."""

# ruff: noqa: ARG002, ARG003 - parsers and replies have one interface, whatever each needs of it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ezra.sansio.commands.base import CommandSpec
from ezra.sansio.commands.fixed import HelpCommand, RefusedCommand
from ezra.sansio.commands.glob import check_pattern, matcher
from ezra.sansio.commands.info import is_durable
from ezra.sansio.commands.server import ServerCommand
from ezra.sansio.errors import Text
from ezra.sansio.host import Facts, Host
from ezra.sansio.resp.scalars import to_bytes, to_text
from ezra.sansio.resp.values import OK, Map, Value
from ezra.sansio.session import Session

FSYNC = {"full": "always", "normal": "everysec", "off": "no"}
"""`--synchronous` in the words of Redis' appendfsync."""


def settings(facts: Facts) -> dict[str, str]:
    """Return Redis' parameters that exporters, benchmarks and browsers ask for, with EZRA's values.

    What EZRA does not have stands there as Redis shows it when it is switched off.
    """
    return {
        "appendfsync": FSYNC[facts.synchronous],
        "appendonly": "yes" if is_durable(facts) else "no",
        "bind": facts.host,
        "cluster-enabled": "no",
        "databases": "1",
        "dir": facts.data_dir,
        "io-threads": "1",
        "latency-monitor-threshold": "0",
        "latency-tracking": "no",
        "maxclients": str(facts.max_clients),
        "maxmemory": "0",
        "maxmemory-policy": "noeviction",
        "notify-keyspace-events": "",
        "port": str(facts.port),
        "proto-max-bulk-len": str(facts.max_payload),
        "replica-read-only": "yes",
        "requirepass": "",
        "save": "",
        "slave-read-only": "yes",
        "slowlog-log-slower-than": "-1",
        "slowlog-max-len": "0",
        "tcp-keepalive": "3",
        "timeout": "0",
    }


@dataclass(frozen=True, slots=True)
class ConfigGet(ServerCommand[dict[str, str]]):
    """Some of the settings."""

    patterns: tuple[bytes, ...]

    SPEC: ClassVar = CommandSpec(
        name="CONFIG GET",
        arguments="pattern [pattern ...]",
        arity=-3,
        summary="The settings whose names match, under the names that Redis gives them.",
        group="server",
        replies=("map (RESP3) or flat array (RESP2): name -> value",),
        flags=("admin",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """Patterns as in KEYS, in any case."""
        return cls(tuple(map(check_pattern, arguments)))

    def answer(self, host: Host, session: Session) -> dict[str, str]:
        """Each setting once. One that is asked for by its name is called as it was asked for."""
        found: dict[str, str] = {}
        for name, value in settings(host.facts).items():
            for pattern in self.patterns:
                if matcher(pattern.lower())(name.encode()):
                    plain = to_text(pattern.lower()) == name
                    found[to_text(pattern) if plain else name] = value
                    break
        return found

    def reply(self, result: dict[str, str], protocol: int) -> Value:
        """Names and values."""
        return Map(tuple((to_bytes(name), value.encode()) for name, value in result.items()))


@dataclass(frozen=True, slots=True)
class ConfigSet(RefusedCommand):
    """Refused: a setting is a flag of the server's."""

    REFUSAL: ClassVar = Text.CONFIG_IS_FIXED
    SPEC: ClassVar = CommandSpec(
        name="CONFIG SET",
        arguments="name value [name value ...]",
        arity=-4,
        summary="Not supported: settings are flags of the server.",
        group="server",
        replies=(Text.CONFIG_IS_FIXED,),
        flags=("admin",),
    )


@dataclass(frozen=True, slots=True)
class ConfigRewrite(RefusedCommand):
    """Refused: there is no file to write them to."""

    REFUSAL: ClassVar = Text.NO_CONFIG_FILE
    SPEC: ClassVar = CommandSpec(
        name="CONFIG REWRITE",
        arguments="",
        arity=2,
        summary="Not supported: there is no configuration file.",
        group="server",
        replies=(Text.NO_CONFIG_FILE,),
        flags=("admin",),
    )


@dataclass(frozen=True, slots=True)
class ConfigResetStat(ServerCommand[None]):
    """Count from 0 again what INFO's Stats count."""

    SPEC: ClassVar = CommandSpec(
        name="CONFIG RESETSTAT",
        arguments="",
        arity=2,
        summary="Count connections, commands and errors from 0 again.",
        group="server",
        replies=("OK",),
        flags=("admin",),
    )

    @classmethod
    def parse(cls, arguments: Sequence[bytes]) -> Self:
        """No arguments."""
        return cls()

    def answer(self, host: Host, session: Session) -> None:
        """Begin anew."""
        host.reset_counters()

    def reply(self, result: None, protocol: int) -> Value:
        """OK."""
        return OK


@dataclass(frozen=True, slots=True)
class ConfigHelp(HelpCommand):
    """The subcommands of CONFIG."""

    COMMANDS: ClassVar = (ConfigGet, ConfigSet, ConfigRewrite, ConfigResetStat)
    SPEC: ClassVar = CommandSpec(
        name="CONFIG HELP",
        arguments="",
        arity=2,
        summary="The subcommands of CONFIG.",
        group="server",
        replies=("array: lines of text",),
    )

"""What COMMAND shows of a table of commands: their shapes, their help, and where their keys stand.

Everything is derived from the commands' own specs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.resp.scalars import to_text
from ezra.sansio.resp.values import Map, Set, SimpleString, Value

STREAMS = b"STREAMS"
"""The word behind which the keys of XREADGROUP stand, and as many ids behind them."""


class Catalogue:
    """The specs of a table, by name: `XADD`, `XGROUP` (a *container*) and `XGROUP CREATE`."""

    def __init__(self, table: Mapping[str, type[Command[Any]]]) -> None:
        specs = {name: command.SPEC for name, command in table.items()}
        self._within: dict[str, list[str]] = {}
        """The subcommands of each container."""
        for name in specs:
            if " " in name:
                self._within.setdefault(name.split()[0], []).append(name)
        containers = {name: _container(name, specs[many[0]]) for name, many in self._within.items()}
        self._specs = containers | specs
        self.top = tuple(dict.fromkeys(name.split()[0] for name in specs))
        """The names without a subcommand, in the table's order."""

    def __contains__(self, name: str) -> bool:
        return name in self._specs

    def spec(self, name: str) -> CommandSpec:
        """Return the spec of a name that is there."""
        return self._specs[name]

    def subcommands(self, name: str) -> Sequence[str]:
        """Return the names of a container's subcommands; of another command there are none."""
        return self._within.get(name, ())

    def in_category(self, category: str) -> tuple[str, ...]:
        """Return the names that belong to one of Redis' ACL categories, subcommands, too."""
        found = [name for name, spec in self._specs.items() if name not in self._within]
        return tuple(name for name in found if category in self._specs[name].categories)

    def info(self, name: str) -> Value:
        """Return the ten items of COMMAND INFO."""
        spec = self._specs[name]
        first, last = key_range(spec)
        return (
            spec.wire_name.encode(),
            spec.arity,
            Set(tuple(SimpleString(flag) for flag in spec.flags)),
            first,
            last,
            min(first, 1),
            Set(tuple(SimpleString(f"@{category}") for category in spec.categories)),
            Set(()),  # tips
            Set(()),  # key specifications
            tuple(self.info(one) for one in self.subcommands(name)) or Set(()),
        )

    def docs(self, names: Iterable[str]) -> Map:
        """Return a map of maps: the help of each of the commands."""
        return Map(tuple((self._specs[name].wire_name.encode(), self._doc(name)) for name in names))

    def _doc(self, name: str) -> Map:
        spec = self._specs[name]
        pairs: list[tuple[Value, Value]] = [
            (b"summary", spec.summary.encode()),
            (b"since", spec.since.encode()),
            (b"group", spec.group.encode()),
        ]
        if subcommands := self.subcommands(name):
            pairs.append((b"subcommands", self.docs(subcommands)))
        return Map(tuple(pairs))

    def keys(self, words: Sequence[bytes]) -> tuple[bytes, ...]:
        """Return the keys among the words of a whole command.

        Raises:
            CommandError: there is no such command, it has none, or not so many words.
        """
        name = to_text(words[0].upper())
        if name in self._within and len(words) > 1:
            name += " " + to_text(words[1].upper())
        if name not in self._specs:
            raise CommandError(Text.INVALID_COMMAND)
        found = _keys(self._specs[name], words)
        if not self._specs[name].fits(len(words)):
            raise CommandError(Text.INVALID_ARGUMENTS)
        if not found:
            raise CommandError(Text.NO_KEYS)
        return found


def table_name(word: bytes) -> str:
    """Return a command's name as the table has it; a subcommand is written `xgroup|create`."""
    return to_text(word.upper()).replace("|", " ")


def key_range(spec: CommandSpec) -> tuple[int, int]:
    """Return the places of the first and the last key; -1 for the last word, 0 for no key.

    Where the first argument is a queue it is the one key, or the first of all. XREADGROUP's keys
    move, so that it has none here.
    """
    if not spec.arguments.startswith("queue"):
        return 0, 0
    first = len(spec.name.split())
    return first, -1 if spec.arguments.startswith("queue [queue") else first


def _keys(spec: CommandSpec, words: Sequence[bytes]) -> tuple[bytes, ...]:
    if "movablekeys" in spec.flags:
        places = [place for place, word in enumerate(words) if word.upper() == STREAMS]
        behind = words[places[0] + 1 :] if places else ()
        return tuple(behind[: len(behind) // 2])
    first, last = key_range(spec)
    return tuple(words[first:] if last < 0 else words[first : last + 1]) if first else ()


def _container(name: str, first: CommandSpec) -> CommandSpec:
    """Return the spec of a container, which has none of its own."""
    return CommandSpec(name, "subcommand", -2, f"The subcommands of {name}.", first.group)

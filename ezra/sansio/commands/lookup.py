"""From the words of a request to the command that they spell.

A command is found by its first word, or by two where the first is a *container*: XGROUP CREATE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ezra.sansio.commands.arguments import MAX_SHOWN, shown
from ezra.sansio.commands.base import Command
from ezra.sansio.commands.table import TABLE
from ezra.sansio.commands.transactions import Exec
from ezra.sansio.errors import CommandError, RemoteProtocolError, Text
from ezra.sansio.resp.scalars import to_text

_CONTAINERS = {name.split()[0].encode() for name in TABLE if " " in name}
_BY_WORD = {
    name.encode(): command
    for name, command in TABLE.items()
    if " " not in name and name.encode() not in _CONTAINERS
}


def parse(words: Sequence[bytes]) -> Command[Any]:
    """Return the command that these words (at least one) spell.

    Raises:
        CommandError: there is no such command, or it is not well formed; its text is the reply.
    """
    command, names = find(words)
    return command.parse(words[names:])


def find(words: Sequence[bytes]) -> tuple[type[Command[Any]], int]:
    """Return which command these words (at least one) name, and how many of them are its name.

    Nothing behind the name has been looked at; that there is enough of it is known.

    Raises:
        CommandError: there is no such command, or it has another number of words.
    """
    names = 1
    command = _BY_WORD.get(words[0].upper())
    if command is None:
        names = min(len(words), 2)
        command = _find_subcommand(words)
    if not command.SPEC.fits(len(words)):
        raise CommandError(_wrong_arity(command))
    return command, names


def refuse_browser(words: Sequence[bytes]) -> None:
    """Hang up on a browser: a web page may have sent it here to get commands carried out.

    As in Redis these words (at least one) may have come as a line or as an array. Unlike there, a
    header is known without a blank behind its colon, too.

    Raises:
        RemoteProtocolError: they are a browser's. It has no text, so it is answered with nothing
            (see "cross-protocol scripting" in Redis' documentation).
    """
    name = words[0].lower()
    if name == b"post" or name.startswith(b"host:"):
        raise RemoteProtocolError("")


def _wrong_arity(command: type[Command[Any]]) -> str:
    """Return the error; EXEC's also says what has become of its transaction."""
    if command is Exec:
        return Text.EXEC_ARITY
    return Text.WRONG_ARITY.format(name=command.SPEC.wire_name)


def _find_subcommand(words: Sequence[bytes]) -> type[Command[Any]]:
    """Return the command that a container and its subcommand name."""
    container = words[0].upper()
    if container not in _CONTAINERS:
        raise CommandError(_unknown_command(words))
    name = to_text(container)
    if len(words) > 1:
        name += " " + to_text(words[1].upper())
    if name in TABLE:
        return TABLE[name]
    if len(words) == 1:
        raise CommandError(Text.WRONG_ARITY.format(name=name.lower()))
    raise CommandError(
        Text.UNKNOWN_SUBCOMMAND.format(name=shown(words[1]), command=to_text(container))
    )


def _unknown_command(words: Sequence[bytes]) -> str:
    """Return the error for a command that is not there, with as many arguments as Redis shows."""
    arguments = ""
    room = MAX_SHOWN
    for word in words[1:]:
        if room <= 0:
            break
        quoted = f"'{shown(word, room)}' "
        arguments += quoted
        room -= len(quoted.encode(errors="surrogateescape"))
    return Text.UNKNOWN_COMMAND.format(name=shown(words[0]), arguments=arguments)

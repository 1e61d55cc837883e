"""What the HELP subcommands answer, made from the commands' own entries in the table."""

from __future__ import annotations

from typing import Any

from ezra.sansio.commands.base import Command
from ezra.sansio.resp.values import SimpleString, Value


def help_lines(*commands: type[Command[Any]]) -> Value:
    """Return lines for a person to read: of each subcommand what it takes and what it does."""
    container = commands[0].SPEC.name.split()[0]
    lines = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for command in commands:
        subcommand = command.SPEC.name.removeprefix(f"{container} ")
        call = f"{subcommand} {command.SPEC.arguments}".rstrip()
        lines += [call, f"    {command.SPEC.summary}"]
    lines += ["HELP", "    Print this help."]
    return tuple(SimpleString(line) for line in lines)

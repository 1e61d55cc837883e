"""Run the frameworks and tools for Redis Streams, unmodified, against a server of this checkout.

    python -m tests.tools [--only NAME ...] [--against redis] [--log]

Installs what is missing, prints one table, and ends with code 1 if a tool that should work does
not, or one that cannot is stopped by something else than we say. Against Redis every script must
pass: that proves the scripts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatchcase

from scripts.system import SetUpFailed, say
from tests.tools.catalogue import Tool
from tests.tools.installing import install
from tests.tools.stopped import ABSENT, STOPPED
from tests.tools.table import table
from tests.tools.trial import Outcome, try_with_ezra, try_with_redis
from tests.tools.working import WORKING

AT_ONCE = 2
"""Tools that run side by side: they wait more than they work."""


def main(words: Sequence[str]) -> int:
    """Do what the command line says; return the exit code."""
    options = _parser().parse_args(words)
    tools = _chosen(options.only)
    if options.against == "redis":
        tools = [replace(tool, stopped_by=()) for tool in tools if not tool.newer_than_debian]
    outcomes = _outcomes(tools, options.against)
    if options.log:
        sys.stdout.writelines(line + "\n" for outcome in outcomes for line in _log(outcome))
    sys.stdout.write(table(outcomes, () if options.only else ABSENT) + "\n")
    return 0 if all(outcome.expected for outcome in outcomes) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.tools", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these, * allowed")
    parser.add_argument("--against", choices=["ezra", "redis"], default="ezra")
    parser.add_argument("--log", action="store_true", help="print what each tool sent and got")
    return parser


def _chosen(patterns: Sequence[str]) -> list[Tool]:
    """Return the tools whose names fit, whatever the case; all of them without a pattern."""
    everyone = [*WORKING, *STOPPED]
    if not patterns:
        return everyone
    found = [
        tool
        for tool in everyone
        if any(fnmatchcase(tool.name.lower(), pattern.lower()) for pattern in patterns)
    ]
    if not found:
        sys.exit(f"there is no such tool; there are: {', '.join(tool.name for tool in everyone)}")
    return found


def _outcomes(tools: Sequence[Tool], against: str) -> list[Outcome]:
    """Install the tools one after the other, then try them; in their order."""
    refusals = {tool.name: _refusal(tool) for tool in tools}

    def outcome(tool: Tool) -> Outcome:
        if refusals[tool.name]:
            return Outcome(tool, refusals[tool.name], 0, ())
        say(f"running {tool.name}")
        return try_with_redis(tool) if against == "redis" else try_with_ezra(tool)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(outcome, tools))


def _refusal(tool: Tool) -> str:
    """Install a tool; return why that failed, or nothing."""
    try:
        install(tool)
    except SetUpFailed as failure:
        return str(failure)
    return ""


def _log(outcome: Outcome) -> list[str]:
    """Return what was said, one line a command, a repeated one only once."""
    lines = [f"{one.command} -> {one.refusal or one.reply!r:.150}" for one in outcome.exchanges]
    return [f"\n{outcome.tool.name}", *dict.fromkeys(f"    {line}" for line in lines)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a person does with a database beside serving it: check, backup, recover.

What is found goes to stdout, line by line, the verdict last. Exit codes: 0 when all is well, 1 when
something is damaged or could not be done, 2 for a wrong use.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ezra.option_values import path
from ezra.options import OPTIONS, from_environment, read_all
from ezra.sansio.commands.backup import backup_name
from ezra.sansio.errors import CommandError, EzraError, StartError
from ezra.threaded.settings import Settings
from ezra.threaded.sqlite import inspection
from ezra.threaded.sqlite.backup import BACKUPS, back_up
from ezra.threaded.sqlite.checking import Line, check
from ezra.threaded.sqlite.database import DATABASE_FILE
from ezra.threaded.sqlite.lock import LOCK_FILE
from ezra.threaded.sqlite.place import real_path
from ezra.threaded.sqlite.rescue import recover
from ezra.threaded.sqlite.tail import Tail


def run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Carry out one of `COMMANDS`; return the exit code.

    Raises:
        SystemExit: with 2 after a wrong use, with 0 after --help.
    """
    command, *arguments = words
    describe, carry_out = COMMANDS[command]
    parser = argparse.ArgumentParser(prog=f"ezra {command}", allow_abbrev=False)
    parser.add_argument(
        "-d", "--data-dir", metavar="PATH", help="where ezra.db lives (./ezra-data)"
    )
    describe(parser)
    given = parser.parse_args(arguments)
    try:
        _read_settings(given, environment)
    except ValueError as error:
        parser.error(str(error))
    return carry_out(given, parser)


def _read_settings(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Put in the place of each text that the server takes, too, what the server makes of it.

    A flag wins, then the variable, then the default. Raises ValueError naming what is wrong.
    """
    texts = {option: getattr(given, option.setting, None) for option in OPTIONS}
    flags = {each: (each.flags[-1], text) for each, text in texts.items() if text is not None}
    own = {option for option in OPTIONS if option.setting in given}
    variables = {
        option: named for option, named in from_environment(environment).items() if option in own
    }
    settings = Settings()
    defaults = {option.setting: getattr(settings, option.setting) for option in own}
    vars(given).update(defaults | read_all(variables) | read_all(flags))


# -- check -----------------------------------------------------------------------------------------


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Look through a database, or a backup, without changing it."
    parser.add_argument("path", nargs="?", type=path, help="a data directory or a database file")


def _check(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    database = Path(given.path or given.data_dir)
    if database.is_dir():
        database /= DATABASE_FILE
    if not database.is_file():
        parser.error(f"there is no {database}")
    database = real_path(database)
    with _beside_servers(database) as live:
        if live:
            _say("a server is running on it")
        try:
            problems = _show(check(database, live=live))
        except StartError as error:
            _say(f"FAILED: {error}")
            return 1
    _say(f"DAMAGED: {problems} findings" if problems else "sound")
    return 1 if problems else 0


def _show(lines: Iterator[Line]) -> int:
    """Print what is found; return how much of it is wrong."""
    problems = 0
    for line in lines:
        problems += not line.sound
        _say(line.text if line.sound else f"WRONG {line.text}")
    return problems


# -- backup ----------------------------------------------------------------------------------------


def _backup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Back a database up, whether a server is running on it or not."
    parser.add_argument(
        "target",
        nargs="?",
        metavar="NAME|PATH",
        help="a name in the data directory's backups/ (the present moment), or a path with a slash",
    )
    parser.add_argument(
        "--min-free-bytes", metavar="N", help="what must stay free on the disk (67108864)"
    )


def _backup(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    directory = Path(given.data_dir)
    database = directory / DATABASE_FILE
    if not database.is_file():
        parser.error(f"there is no {database}")
    database = real_path(database)
    try:
        target = _target(given.target, directory)
    except CommandError as error:
        parser.error(_plain(error))
    try:
        with _beside_servers(database) as live:
            if not live:
                _inspect(database)
            size = back_up(database, target, reserve=given.min_free_bytes)
    except EzraError as error:
        _say(f"FAILED: {_plain(error)}")
        return 1
    _say(f"{target}: {size} bytes, checked and on disk")
    return 0


def _target(word: str | None, directory: Path) -> Path:
    """Return where a backup goes. Raises CommandError for what is no name."""
    if word is None:
        word = f"ezra-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    if "/" in word:
        return Path(word)
    return directory / BACKUPS / backup_name(word)


def _inspect(database: Path) -> None:
    """See that nothing would be left out. Raises StartError where something is damaged."""
    try:
        with inspection.inspected(database) as (_, findings):
            if findings.tail is Tail.TORN:
                lost = inspection.count_lost(findings)
                _say(f"the log is torn, as a power loss leaves it: {lost} are left out")
    except (inspection.Damage, OSError, sqlite3.Error) as error:
        raise StartError(f"{error}; see `ezra check`") from error


# -- recover ---------------------------------------------------------------------------------------


def _recover_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Put a sound database in the place of a damaged one, with all that can be read of its "
        "log, and keep what was there."
    )


def _recover(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    directory = Path(given.data_dir)
    if not (directory / DATABASE_FILE).is_file():
        parser.error(f"there is no {directory / DATABASE_FILE}")
    try:
        _show(recover(directory))
    except (StartError, OSError, sqlite3.Error) as error:
        _say(f"FAILED: {error}")
        return 1
    return 0


# -- Together --------------------------------------------------------------------------------------


@contextmanager
def _beside_servers(database: Path) -> Iterator[bool]:
    """Tell whether a server is running on a database; where none is, none starts meanwhile."""
    try:
        handle = os.open(database.with_name(LOCK_FILE), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield False  # a backup, or a directory that no server has used
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        live = False
    except BlockingIOError:
        live = True
    try:
        yield live
    finally:
        os.close(handle)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _plain(error: Exception) -> str:
    """Return an error's text without the prefix that it has on the wire."""
    return str(error).removeprefix("ERR ")


COMMANDS: Mapping[
    str,
    tuple[
        Callable[[argparse.ArgumentParser], None],
        Callable[[argparse.Namespace, argparse.ArgumentParser], int],
    ],
] = {
    "check": (_check_arguments, _check),
    "backup": (_backup_arguments, _backup),
    "recover": (_recover_arguments, _recover),
}
"""By the word behind `python -m ezra`: what describes it to a parser, and what carries it out."""

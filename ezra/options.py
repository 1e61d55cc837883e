"""The options: flags and environment in, settings out.

Each option is one row of `OPTIONS`. A flag wins over its variable, the variable over the default.
Whatever is not understood is an error that names it, also a variable that begins with EZRA_ and
means nothing: a slip of the pen must not start a server with other settings than its owner
believes.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ezra.option_values import directory, duration, not_empty, one_of, path, whole, yes_or_no
from ezra.passwords import is_shared, password, password_file
from ezra.sansio.commands.arguments import MAX_ATTEMPTS
from ezra.sansio.model import MILLISECOND, SECOND, Defaults
from ezra.threaded import failpoints
from ezra.threaded.settings import (
    MAX_BUFFER_BYTES,
    MAX_CLIENTS,
    MAX_FREE_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_PORT,
    MEBIBYTE,
    Settings,
)
from ezra.threaded.tls import TlsFileError, make_context
from ezra.version import VERSION

log = logging.getLogger(__name__)

PREFIX = "EZRA_"


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be set: by its flag, or by the variable named after it."""

    setting: str
    """The field of `Settings`, or of its `defaults`."""
    flags: tuple[str, ...]
    value: str
    """What the help calls its value."""
    help: str
    read: Callable[[str], Any]
    """Makes the setting from the text. Raises ValueError with what the text must be."""
    secret: bool = False
    """Whether an error must not repeat the text."""

    @property
    def variable(self) -> str:
        """The environment variable, for example EZRA_DATA_DIR."""
        return PREFIX + self.flags[-1].removeprefix("--").replace("-", "_").upper()


def _password_options(setting: str, may: str) -> tuple[Option, Option]:
    """Return the two forms of a password: as it is, and in a file."""
    flag = f"--{setting.replace('_', '-')}"
    return (
        Option(
            setting, (flag,), "TEXT",
            f"who says this may {may}; `ps` shows it to everybody, so rather use a file",
            password, secret=True,
        ),
        Option(
            setting, (f"{flag}-file",), "PATH",
            "a file with that in its one line", password_file, secret=True,
        ),
    )  # fmt: skip


OPTIONS = (
    Option(
        "data_dir", ("-d", "--data-dir"), "PATH",
        "where ezra.db lives; :memory: keeps nothing (./ezra-data)", directory,
    ),
    Option(
        "port", ("-p", "--port"), "N",
        "the port to serve; 0 picks a free one (42002)", whole(0, MAX_PORT),
    ),
    Option("host", ("--host",), "ADDR", "the address to serve (127.0.0.1)", not_empty),
    Option(
        "visibility_timeout", ("--visibility-timeout",), "S",
        "seconds that a worker holds a task before it goes to another (30)",
        duration(SECOND, lowest=1),
    ),
    Option(
        "max_attempts", ("--max-attempts",), "N",
        "attempts after which a task is dead (3)", whole(1, MAX_ATTEMPTS),
    ),
    Option(
        "retention", ("--retention-seconds",), "S",
        "seconds after which done tasks are deleted (never)", duration(SECOND, lowest=0),
    ),
    Option(
        "scheduler", ("--scheduler-ms",), "N",
        "longest pause between two sweeps, in milliseconds (5000)",
        duration(MILLISECOND, lowest=MILLISECOND),
    ),
    Option(
        "synchronous", ("--synchronous",), "full|normal",
        "on disk before each reply, or at checkpoints only (full)", one_of("full", "normal"),
    ),
    Option(
        "max_clients", ("--max-clients",), "N",
        "clients at a time; more are refused (10000)", whole(1, MAX_CLIENTS),
    ),
    Option(
        "max_payload_bytes", ("--max-payload-bytes",), "N",
        "largest payload that is accepted (16777216)", whole(1, MAX_PAYLOAD_BYTES),
    ),
    *(
        option
        for setting, may in (
            ("password", "do everything"),
            ("push_password", "only push"),
            ("work_password", "only work: claim, ack, nack"),
        )
        for option in _password_options(setting, may)
    ),
    Option(
        "protected_mode", ("--protected-mode",), "yes|no",
        "serve this machine only as long as there is no password (yes)", yes_or_no,
    ),
    Option(
        "max_buffer_bytes", ("--max-buffer-bytes",), "N",
        "memory for requests and replies on their way (a quarter of the machine's)",
        whole(MEBIBYTE, MAX_BUFFER_BYTES),
    ),
    Option(
        "tls_cert", ("--tls-cert",), "FILE",
        "speak TLS, with this certificate and those that vouch for it, in PEM", path,
    ),
    Option("tls_key", ("--tls-key",), "FILE", "the certificate's private key, in PEM", path),
    Option(
        "tls_client_ca", ("--tls-client-ca",), "FILE",
        "serve only clients with a certificate that one of these vouches for", path,
    ),
    Option(
        "idle_timeout", ("--idle-timeout",), "S",
        "seconds after which a silent client that waits for nothing is cut off (never)",
        duration(SECOND, lowest=MILLISECOND),
    ),
    Option(
        "min_free_bytes", ("--min-free-bytes",), "N",
        "pushes are refused while the disk has less free than this (67108864)",
        whole(0, MAX_FREE_BYTES),
    ),
)  # fmt: skip

QUEUE_SETTINGS = frozenset({"visibility_timeout", "max_attempts", "retention"})
"""The options that belong to the queues' defaults."""

Given = dict[Option, tuple[str, str]]
"""By option: the flag or variable that gives it, and its text."""


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Make the settings from the command line and the environment.

    Raises:
        SystemExit: with 2 after saying on stderr which flag or variable is wrong, with 0 after
            --help or --version.
    """
    parser = make_parser()
    known, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(f"unrecognized arguments: {_names_of(unknown)}")
    flags = from_flags(known)
    try:
        failpoints.read(environment.get(failpoints.VARIABLE, ""))
        variables = from_environment(environment)
        values = read_all(variables) | read_all(flags)
    except ValueError as error:
        parser.error(str(error))
    of_queues = {name: values.pop(name) for name in QUEUE_SETTINGS & values.keys()}
    names = names_by_setting(variables | flags)
    try:
        settings = Settings(defaults=Defaults(**of_queues), **values)
        make_context(settings)
    except TlsFileError as error:
        parser.error(f"{names[error.setting]}: {error.reason}")
    except ValueError as error:  # settings that make no sense together
        parser.error(as_given(str(error), names))
    if settings.tls_key is not None and is_shared(settings.tls_key):
        log.warning("the TLS key can be read by others than its owner: chmod 600 it")
    return settings


def as_given(text: str, names: Mapping[str, str]) -> str:
    """Return an error about settings with their names as a person types them."""
    return re.sub("[a-z_]+", lambda word: names.get(word[0], word[0]), text)


def names_by_setting(given: Given) -> dict[str, str]:
    """Return by setting the flag or variable that gives it; where none does, its flag."""
    names = {option.setting: option.flags[-1] for option in reversed(OPTIONS)}
    return names | {option.setting: name for option, (name, _) in given.items()}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser, which leaves the values as text."""
    parser = argparse.ArgumentParser(
        prog="ezra",
        description="EZRA, a durable task queue that any Redis client can use.",
        epilog="Each flag has a variable: --data-dir is EZRA_DATA_DIR. The flag wins. "
        "There are also: ezra check, ezra backup, ezra recover; each has a --help.",
        allow_abbrev=False,
    )
    for option in OPTIONS:
        parser.add_argument(
            *option.flags, dest=option.variable, metavar=option.value, help=option.help
        )
    parser.add_argument("-v", "--version", action="version", version=f"ezra {VERSION}")
    return parser


def _names_of(words: Sequence[str]) -> str:
    """Return which flags these are, without their values: one of those may be a password."""
    flags = [word.partition("=")[0] for word in words if word.startswith("--")]
    return ", ".join(flags) or f"{len(words)} of them belong to no flag"


def from_flags(arguments: argparse.Namespace) -> Given:
    """Return what the command line gives."""
    texts = {option: getattr(arguments, option.variable) for option in OPTIONS}
    return {option: (option.flags[-1], text) for option, text in texts.items() if text is not None}


def from_environment(environment: Mapping[str, str]) -> Given:
    """Return what the environment gives. Raises ValueError for a variable that means nothing."""
    known = {option.variable: option for option in OPTIONS}
    own = {name: text for name, text in environment.items() if name.startswith(PREFIX)}
    given = {name: text for name, text in own.items() if name != failpoints.VARIABLE}
    for name in given:
        if name not in known:
            raise ValueError(f"{name}: there is no such variable, only {', '.join(known)}")
    return {known[name]: (name, text) for name, text in given.items()}


def read_all(given: Given) -> dict[str, Any]:
    """Return the value of each setting. Raises ValueError naming the flag or variable at fault."""
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for option, (name, text) in given.items():
        other = names.setdefault(option.setting, name)
        if other is not name:
            raise ValueError(f"{other} and {name} are both given: choose one of them")
        values[option.setting] = read_one(option, name, text)
    return values


def read_one(option: Option, name: str, text: str) -> Any:
    """Return the option's value. Raises ValueError that begins with the name."""
    try:
        return option.read(text)
    except ValueError as error:
        shown = "" if option.secret else f", not {text!r}"
        raise ValueError(f"{name}: {error}{shown}") from None

"""A task's fields on the wire: which ones EZRA obeys on the way in, what it adds on the way out.

An entry with a `payload` field is a task: the options below are taken out of it. In any other
entry, some framework's own format, every field is data. With the prefix `ezra.` the options are
understood in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from ezra.sansio.commands.arguments import (
    MAX_ATTEMPTS,
    MAX_MOMENT,
    MAX_NAME,
    Bytes,
    Seconds,
    Whole,
    shown,
)
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import SECOND, Claimed, Dedup, Entry, NewTask

PAYLOAD = b"payload"
PREFIX = b"ezra."

OPTIONS: tuple[Seconds | Whole, ...] = (
    Seconds("ttl", least=1),
    Whole("max_attempts", 1, MAX_ATTEMPTS),
    Seconds("visibility_timeout", least=1),
    Seconds("delay"),
    Seconds("run_at", most=MAX_MOMENT * SECOND),
    Whole("priority", -128, 127),
)
"""Each is named like its field in `NewTask`."""

DEDUP_OPTIONS: tuple[Bytes | Seconds, ...] = (
    Bytes("dedup_key", 1, MAX_NAME),
    Seconds("dedup_ttl", least=1),
)
"""These two together are a `Dedup`."""

_EVERY = (*OPTIONS, *DEDUP_OPTIONS)
_PREFIXED = {PREFIX + option.name.encode(): option for option in _EVERY}
_ALL = _PREFIXED | {option.name.encode(): option for option in _EVERY}


def new_task(fields: Sequence[bytes], task_id: int | None, dedup: Dedup | None = None) -> NewTask:
    """Return the task that an entry's fields (name, value, name, value …) ask for.

    Args:
        fields: what stands behind the id.
        task_id: the id of the producer's choice.
        dedup: what the command itself says of repeats; then the fields must not.

    Raises:
        CommandError: an option is malformed, unknown, given twice or contradicts another one.
    """
    names = fields[::2]
    known = _ALL if PAYLOAD in names else _PREFIXED
    payload: bytes | None = None
    headers: list[tuple[bytes, bytes]] = []
    options: dict[str, Any] = {}
    for name, value in zip(names, fields[1::2], strict=True):
        if name == PAYLOAD:
            payload = _only_payload(payload, value)
        elif name in known:
            _add_option(options, known[name], value)
        elif name.startswith(PREFIX):
            raise _unknown_option(name)
        else:
            headers.append((name, value))
    if "delay" in options and "run_at" in options:
        raise CommandError(Text.DELAY_AND_RUN_AT)
    return NewTask(payload, tuple(headers), task_id, dedup=_take_dedup(options, dedup), **options)


def _take_dedup(options: dict[str, Any], dedup: Dedup | None) -> Dedup | None:
    """Take the options about repeats out of the others; return what they, or the command, say."""
    key, ttl = options.pop("dedup_key", None), options.pop("dedup_ttl", None)
    if key is None:
        if ttl is not None:
            raise CommandError(Text.DEDUP_TTL_ALONE)
        return dedup
    if dedup is not None:
        raise CommandError(Text.DEDUP_TWICE)
    return Dedup(b"", key, ttl)


def _only_payload(earlier: bytes | None, value: bytes) -> bytes:
    if earlier is not None:
        raise CommandError(Text.TWO_PAYLOADS)
    return value


def _add_option(options: dict[str, Any], option: Seconds | Whole | Bytes, value: bytes) -> None:
    if option.name in options:
        raise CommandError(Text.OPTION_TWICE.format(name=option.name))
    options[option.name] = option.parse(value)


def _unknown_option(name: bytes) -> CommandError:
    known = ", ".join(word.decode() for word in _PREFIXED)
    return CommandError(Text.UNKNOWN_OPTION.format(name=shown(name), known=known))


def entry_fields(entry: Entry | Claimed) -> tuple[bytes, ...]:
    """Return a task's own fields, as its producer gave them: payload first, then the headers."""
    headers = chain.from_iterable(entry.headers)
    return tuple(headers) if entry.payload is None else (PAYLOAD, entry.payload, *headers)


def claimed_fields(task: Claimed) -> tuple[bytes, ...]:
    """Return what the worker gets: the task's fields and, of no framework's entry, its attempts."""
    if task.payload is None:
        return entry_fields(task)
    return (
        *entry_fields(task),
        b"attempts",
        b"%d" % task.attempts,
        b"max_attempts",
        b"%d" % task.max_attempts,
    )

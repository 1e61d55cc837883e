"""Checks what an application hands to `Ezra`, and turns it into what the engine takes.

The bounds are the wire's, checked by the wire's own parsers. Every function raises ValueError or
TypeError with a text that names the argument.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, cast

from ezra.sansio.commands import arguments as words
from ezra.sansio.commands import fields
from ezra.sansio.commands.arguments import MAX_ATTEMPTS, Seconds, Whole
from ezra.sansio.commands.claims import MAX_CLAIM, MAX_SOURCES
from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import FOREVER, MILLISECOND, Address, Defaults
from ezra.sansio.resp.limits import MAX_REST
from ezra.sansio.resp.scalars import MAX_INTEGER
from ezra.threaded.settings import MEMORY, Settings

T = TypeVar("T")

Payload = bytes | bytearray | memoryview | str
"""A str stands for its UTF-8."""

Headers = (
    Mapping[str, str | bytes]
    | Mapping[bytes, str | bytes]
    | Iterable[tuple[str | bytes, str | bytes]]
)
"""Names and values; pairs where a name comes twice."""


class ServerOptions(TypedDict, total=False):
    """How the server's flags are called here. Durations are seconds but for `scheduler_ms`."""

    port: int | None
    host: str
    visibility_timeout: float
    max_attempts: int
    retention_seconds: float | None
    scheduler_ms: int
    synchronous: Literal["full", "normal"]
    max_clients: int
    max_payload_bytes: int
    password: str | None
    push_password: str | None
    work_password: str | None
    protected_mode: bool


class TaskOptions(TypedDict, total=False):
    """A task's options, named as its fields on the wire. Durations are seconds."""

    ttl: float | None
    max_attempts: int | None
    visibility_timeout: float | None
    delay: float | None
    run_at: float | None
    priority: int | None


class TaskNumbers(TypedDict, total=False):
    """The fields of `NewTask` that options set. Times and durations are microseconds."""

    ttl: int
    max_attempts: int
    visibility_timeout: int
    delay: int
    run_at: int
    priority: int


VISIBILITY_TIMEOUT = Seconds("visibility_timeout", least=1)
ATTEMPTS = Whole("max_attempts", 1, MAX_ATTEMPTS)
RETENTION = Seconds("retention_seconds")
SCHEDULER = Whole("scheduler_ms", 1, words.MAX_SECONDS * 1000)
BLOCK = Seconds("block")
DELAY = Seconds("delay")
COUNT = Whole("count", 1, MAX_INTEGER)
TASK_OPTIONS = {option.name: option for option in fields.OPTIONS}
RESERVED = frozenset({fields.PAYLOAD, *(name.encode() for name in TASK_OPTIONS)})
"""Header names that a worker on the wire could not tell from something else."""


def settings(data_dir: str | os.PathLike[str], options: ServerOptions) -> Settings:
    """Return the settings that the options ask for."""
    unknown(options, ServerOptions.__annotations__)
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    queues = {
        "visibility_timeout": number(VISIBILITY_TIMEOUT, given.pop("visibility_timeout", 30)),
        "max_attempts": number(ATTEMPTS, given.pop("max_attempts", 3)),
    }
    if "retention_seconds" in given:
        queues["retention"] = number(RETENTION, given.pop("retention_seconds"))
    if "scheduler_ms" in given:
        given["scheduler"] = number(SCHEDULER, given.pop("scheduler_ms")) * MILLISECOND
    where = MEMORY if data_dir == MEMORY else Path(data_dir)
    return Settings(where, defaults=Defaults(**queues), **given)


def task_options(options: TaskOptions) -> TaskNumbers:
    """Return the fields of `NewTask` that the options set."""
    unknown(options, TASK_OPTIONS)
    numbers = {
        name: number(TASK_OPTIONS[name], value)
        for name, value in options.items()
        if value is not None
    }
    if "delay" in numbers and "run_at" in numbers:
        raise ValueError(plain(Text.DELAY_AND_RUN_AT))
    return cast(TaskNumbers, numbers)


def unknown(given: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise TypeError for an option that does not exist, as Python does for an argument."""
    for name in given:
        if name not in known:
            raise TypeError(f"there is no option {name!r}, only {', '.join(known)}")


def number(option: Seconds | Whole, value: object) -> int:
    """Return an option's value: microseconds of `Seconds`, or the number of a `Whole`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{option.name} must be a number, not {value!r}")
    return parsed(option.parse, (str(value) if isinstance(value, int) else f"{value:.6f}").encode())


def parsed(parse: Callable[[bytes], T], word: bytes) -> T:
    """Parse as if it came over the wire, where a wrong word is an error reply."""
    try:
        return parse(word)
    except CommandError as error:
        raise ValueError(plain(str(error))) from None


def plain(reply: str) -> str:
    """Return the text of an error reply without the prefix that a client looks for."""
    return reply.removeprefix("ERR ")


def encoded(name: str, value: object) -> bytes:
    """Return a str's UTF-8, or the bytes that were given."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"{name} must be str or bytes, not {type(value).__name__}")


def text(name: str, value: object) -> str:
    """Return a str, refusing everything else."""
    if isinstance(value, str):
        return value
    raise TypeError(f"{name} must be a str, not {type(value).__name__}")


def queue(name: object) -> str:
    """Return the name of a queue that is no dead-letter queue."""
    return parsed(words.queue_name, text("queue", name).encode())


def sources(names: Sequence[object]) -> tuple[Address, ...]:
    """Return what the names of queues and dead-letter queues stand for."""
    if not names:
        raise TypeError("at least one queue is needed")
    if len(names) > MAX_SOURCES:
        raise ValueError(f"at most {MAX_SOURCES} queues can be named")
    return tuple(parsed(words.address, text("queue", name).encode()) for name in names)


def task_id(given: object) -> int:
    """Return the number of an id as `push` returns it."""
    return parsed(words.task_id, text("id", given).encode())


def payloads(bodies: Iterable[object], most: int) -> list[bytes]:
    """Return the payloads' bytes; a lone payload would be taken apart, so it is refused."""
    if isinstance(bodies, bytes | bytearray | memoryview | str):
        kind = type(bodies).__name__
        raise TypeError(f"payloads must be an iterable of payloads, not one {kind}; see push")
    return [payload(body, most) for body in bodies]


def payload(body: object, most: int) -> bytes:
    """Return the payload's bytes."""
    content = encoded("payload", body)
    if len(content) > most:
        raise ValueError(f"payload must be at most {most} bytes (max_payload_bytes)")
    return content


def headers(given: Headers, most: int) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers' names and values, in order, if they would fit into a request."""
    pairs = given.items() if isinstance(given, Mapping) else given
    found = tuple((encoded("header", name), encoded("header", value)) for name, value in pairs)
    for name, value in found:
        if name in RESERVED or name.startswith(fields.PREFIX):
            raise ValueError(f"header {name!r} is the name of an option; choose another")
        if max(len(name), len(value)) > most:
            raise ValueError(
                f"header {name[:64]!r} must be at most {most} bytes (max_payload_bytes)"
            )
    if sum(len(name) + len(value) for name, value in found) > MAX_REST:
        raise ValueError(f"headers must be at most {MAX_REST} bytes together")
    return found


def worker(name: str | None) -> str:
    """Return the worker's name; by default one that says which thread of which process it is.

    The system's number of a thread is not given out again at once, unlike Python's.
    """
    if name is None:
        return f"pid-{os.getpid()}-thread-{threading.get_native_id()}"
    return parsed(lambda word: words.text("worker", word), text("worker", name).encode())


def count(given: object) -> int:
    """Return how many tasks are wanted at most: as on the wire, no more than a claim may have."""
    return min(number(COUNT, given), MAX_CLAIM)


def block(given: float | None) -> int | None:
    """Return how long to wait: None not at all, FOREVER for ever."""
    if given is None or given == 0:
        return None
    return FOREVER if given == math.inf else number(BLOCK, given)


def delay(given: float | None) -> int | None:
    """Return a nack's delay."""
    return None if given is None else number(DELAY, given)


def reason(given: str | None) -> str | None:
    """Return a nack's reason."""
    if given is None:
        return None
    return parsed(
        lambda word: words.text("reason", word, words.MAX_REASON), text("reason", given).encode()
    )

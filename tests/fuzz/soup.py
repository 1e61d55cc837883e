"""Soup of commands: requests by the notation of the command table, well formed and not quite.

A `Cook` expands what `CommandSpec.arguments` says of a command (`[COUNT count]`, `ON|OFF`,
`id [id ...]`), fills in words of the kind that is named there, and now and then some other word.
Ids that replies brought are told to it (`learn`), so that acks and nacks hit. All chance is the
`Random` that it is given: hypothesis' in tests, a seeded one in campaigns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from ezra.sansio.commands.table import TABLE
from tests.fuzz import words
from tests.property.resp.cases import FRAGMENTS
from tests.property.wire import request

KINDS: dict[str, Sequence[bytes]] = {
    "queue": words.QUEUES,
    "key": words.QUEUES,
    "group": words.GROUPS,
    "worker": words.WORKERS,
    "field": words.FIELDS,
    "name": [*words.SETTINGS, *words.WORKERS, b"databases"],
    "milliseconds": [b"0", b"1", b"2", b"5"],
    "min-idle-time": [b"0", b"1", b"5"],
    "start": words.RANGES,
    "end": words.RANGES,
    "command": words.NAMES,
    "pattern": [b"*", b"q*", b"[", b"?" * 20, b"*a" * 20],
    "subcommand": words.NAMES,
}
"""What stands for a word in lower case in the notation; for any other, a number or anything."""

ID_KINDS = frozenset({"id", "start", "end"})

HARMFUL = frozenset({"CLIENT KILL", "CLIENT UNBLOCK"})
"""What may by right disturb others, and so is left out where they are to be undisturbed."""

_TOKEN = re.compile(r"\[|\]|\s\|\s|[^\s\[\]]+")
_OPEN, _CLOSE, _ELLIPSIS = "[", "]", "..."
_MOST_IDS = 64


class Cook:
    """Makes requests and rubbish.

    Args:
        random: all its chance.
        harmless: whether to leave out what disturbs other clients by right.
    """

    def __init__(self, random: Random, *, harmless: bool = False) -> None:
        self._random = random
        allowed = sorted(set(TABLE) - (HARMFUL if harmless else frozenset()))
        writing = [name for name in allowed if "write" in TABLE[name].SPEC.flags]
        self._names = [*allowed, *writing * 4]  # what changes something can go wrong the worst
        self._ids: list[bytes] = list(words.FIRST_IDS)

    def learn(self, task_id: bytes) -> None:
        """Note the id of a task that exists."""
        self._ids.append(task_id)
        del self._ids[:-_MOST_IDS]

    def meal(self) -> bytes:
        """Return some bytes for one connection: a few requests, or something that is none."""
        made = b"".join(self.course() for _ in range(self._random.randint(1, 6)))
        if self._chance(6):
            made = self._spoiled(made)
        if self._chance(6):
            made = made[: self._random.randint(0, len(made))]  # half a request
        return made

    def course(self) -> bytes:
        """Return one request, a transaction, a line, or rubbish."""
        kind = self._random.randrange(12)
        if kind == 0:
            return self.garbage()
        if kind == 1:
            return b" ".join(self.request()) + b"\r\n"
        if kind in (2, 3):
            return self._transaction()
        return request(*self.request())

    def garbage(self) -> bytes:
        """Return pieces of RESP in no order."""
        pieces = [*FRAGMENTS, *words.RUDE, b"*3\r\n$536870912\r\n", b"*1000000\r\n", b"\0" * 9]
        return b"".join(self._random.choices(pieces, k=self._random.randint(1, 6)))

    def request(self) -> list[bytes]:
        """Return the words of one request."""
        name = self._random.choice(self._names)
        made = [word.encode() for word in name.split()]
        made += self._arguments(TABLE[name].SPEC.arguments)
        if self._chance(12):
            made.insert(self._random.randint(1, len(made)), self._any_word())
        if self._chance(12):
            made.pop(self._random.randrange(len(made)))
        return made or [b"PING"]

    def _transaction(self) -> bytes:
        """Return MULTI, requests, and mostly EXEC."""
        inside = [self.request() for _ in range(self._random.randint(0, 5))]
        end = self._random.choice([[b"EXEC"], [b"EXEC"], [b"EXEC"], [b"DISCARD"], [b"RESET"], []])
        return b"".join(request(*each) for each in ([b"MULTI"], *inside, end) if each)

    def _spoiled(self, made: bytes) -> bytes:
        """Return the bytes with a few of them changed, left out or added."""
        spoiled = bytearray(made)
        for _ in range(self._random.randint(1, 4)):
            at = self._random.randint(0, len(spoiled))
            spoiled[at : at + self._random.randint(0, 2)] = bytes([self._random.randrange(256)])
        return bytes(spoiled)

    # -- The notation of the table -----------------------------------------------------------------

    def _arguments(self, notation: str) -> list[bytes]:
        made, _ = self._sequence(_TOKEN.findall(notation), 0)
        return made

    def _sequence(self, tokens: Sequence[str], at: int) -> tuple[list[bytes], int]:
        """Expand up to the bracket that closes; return the words, and where to read on."""
        choices: list[list[bytes]] = [[]]
        repeated: str | None = None
        while at < len(tokens) and tokens[at] != _CLOSE:
            token, at = tokens[at], at + 1
            if token == _OPEN:
                inner, at = self._sequence(tokens, at)
                choices[-1] += inner if self._random.randrange(2) else []
                at += 1
            elif token.strip() == "|":
                choices.append([])
            elif token == _ELLIPSIS:
                again = self._random.randint(0, 2)
                choices[-1] += [self._word(repeated or "") for _ in range(again)]
            else:
                repeated = token
                choices[-1].append(self._word(token))
        return self._random.choice(choices), at

    def _word(self, notation: str) -> bytes:
        """Return a word where the table has this one."""
        if self._chance(24):
            return self._any_word()
        kind = self._random.choice(notation.split("|"))
        if kind in ID_KINDS and self._random.randrange(3):
            return self._random.choice(self._ids)
        if kind in KINDS:
            return self._random.choice(KINDS[kind])
        if kind.islower():
            return self._random.choice(words.NUMBERS if self._random.randrange(4) else words.RUDE)
        return kind.encode()

    def _any_word(self) -> bytes:
        word: bytes = self._random.choice(words.EVERYTHING)
        return word

    def _chance(self, odds: int) -> bool:
        return self._random.randrange(odds) == 0

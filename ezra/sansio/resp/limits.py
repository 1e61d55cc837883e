"""How much one peer may send: every limit with its reason, enforced before memory is spent.

Nothing is ever allocated from an announced length; memory grows only as bytes arrive, up to these.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LINE = 64 * 1024
"""Bytes of a line (an inline request, a length, a simple string): Redis' PROTO_INLINE_MAX_SIZE."""

MAX_BULK = 16 * 1024 * 1024
"""Bytes of a bulk string: the default of the server's --max-payload-bytes."""

MAX_ANNOUNCED_BULK = 512 * 1024 * 1024
"""A longer bulk ends the connection, as in Redis (proto-max-bulk-len). One between the two limits
is read and thrown away, so that the client gets an error it can read; this bounds that work."""

MAX_REST = 16 * 1024 * 1024
"""Bytes on the wire beside one largest bulk string: headers are small, so this is plenty."""

MAX_WORDS = 1024 * 1024
"""Words of a request, or elements of an aggregate: Redis' own limit. Each costs some 50 bytes of
memory when it is tiny, so a million stay in the order of `MAX_REST`."""

STRANGERS_MAX_WORDS = 10
"""Words of a request from somebody who has yet to say the password, as in Redis: HELLO with all its
options has seven."""

STRANGERS_MAX_BULK = 16 * 1024
"""Bytes of a word of such a request, as in Redis: longer than any password. What a stranger sends
beyond these two ends the connection; with `MAX_LINE`, ten of these are all that he can have kept
(Redis' CVE-2021-32675 was that he could have far more kept)."""

MAX_DEPTH = 128
"""Aggregates within aggregates. Redis' deepest reply has some seven; Python's own `==`, `hash` and
`repr` of nested values recurse and give up at about a thousand."""

MAX_NUMBER = 640
"""Characters of a number: the lowest limit that anyone can set for Python's conversion of digits
(PYTHONINTMAXSTRDIGITS), which takes quadratic time. Enough for 2,000 bits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decoder lets one peer send. All but depth and words are bytes."""

    max_bulk: int = MAX_BULK
    max_announced_bulk: int = MAX_ANNOUNCED_BULK
    max_rest: int = MAX_REST
    max_line: int = MAX_LINE
    max_words: int = MAX_WORDS
    max_depth: int = MAX_DEPTH

    @property
    def max_request(self) -> int:
        """Bytes on the wire of one request, or of one value, after its first line."""
        return self.max_bulk + self.max_rest


DEFAULT_LIMITS = Limits()
"""What a peer may send where nobody has said otherwise."""

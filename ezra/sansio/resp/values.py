"""Every type of RESP2 and RESP3 as a Python value.

What Python has a natural type for is that type, and arrays are tuples, so that a reply reads like
the data it carries: `(b"1-0", (b"payload", body), 3, None)`. The rest are frozen dataclasses. The
decoder answers with the same types that the encoder takes, so `decode(encode(v))` is `v` again.

    RESP                  Python               on a RESP2 connection it goes out as
    null          _       None                 $-1
    null array    *-1     NullArray            *-1   (on RESP3 it goes out as _)
    boolean       #       bool                 an integer, 1 or 0
    integer       :       int                  the same
    double        ,       float                a bulk string
    bulk string   $       bytes                the same
    array         *       tuple                the same
    simple string +       SimpleString         the same
    simple error  -       SimpleError          the same
    bulk error    !       BulkError            a simple error
    big number    (       BigNumber            a bulk string
    verbatim      =       VerbatimString       a bulk string
    set           ~       Set                  an array
    map           %       Map                  an array of key, value, key, value
    push          >       Push                 an array (so RESP2 has published messages)
    attribute     |       Attribute            the value alone: what it says about it is optional

Texts are `str`, encoded as UTF-8; bytes that are not UTF-8 travel as surrogate escapes, so none is
lost or changed on the way through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ezra.sansio.resp.limits import MAX_NUMBER

_TOO_BIG = 10 ** (MAX_NUMBER - 1)  # with its sign, one character more than may be


@dataclass(frozen=True, slots=True)
class NullArray:
    """RESP2's other null, `*-1`: "no array" (a claim that found nothing) instead of "no string"."""


@dataclass(frozen=True, slots=True)
class SimpleString:
    """A short status such as OK. A line break in it goes out as a space."""

    text: str


@dataclass(frozen=True, slots=True)
class SimpleError:
    """An error, its upper-case prefix first. A line break in it goes out as a space."""

    text: str


@dataclass(frozen=True, slots=True)
class BulkError:
    """An error whose text may hold line breaks."""

    text: str


@dataclass(frozen=True, slots=True)
class BigNumber:
    """An integer beyond the 64 bits of `int`.

    Raises:
        ValueError: it has as many digits as `limits.MAX_NUMBER`, or more.
    """

    number: int

    def __post_init__(self) -> None:
        """Check the size: no peer need take a longer one."""
        if abs(self.number) >= _TOO_BIG:
            raise ValueError(f"a big number has fewer than {MAX_NUMBER} digits")


@dataclass(frozen=True, slots=True)
class VerbatimString:
    """A text meant to be shown to a person as it is; `kind` is `txt` or `mkd` (Markdown).

    Raises:
        ValueError: the kind is not three ASCII characters.
    """

    text: str
    kind: str = "txt"

    def __post_init__(self) -> None:
        """Check the kind, which has a fixed place on the wire."""
        if len(self.kind) != 3 or not self.kind.isascii():
            raise ValueError(f"the kind of a verbatim string is three characters: {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Set:
    """A set. Whether its members differ is the sender's promise and is not checked."""

    members: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Map:
    """A map, as its pairs in order: keys may be any value, also those that Python cannot hash."""

    pairs: tuple[tuple[Value, Value], ...]


@dataclass(frozen=True, slots=True)
class Push:
    """Data that answers no command; the first item says what kind."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value, and something about it that a reader may ignore."""

    pairs: tuple[tuple[Value, Value], ...]
    value: Value


Value: TypeAlias = (
    NullArray
    | bool
    | int
    | float
    | bytes
    | tuple["Value", ...]
    | SimpleString
    | SimpleError
    | BulkError
    | BigNumber
    | VerbatimString
    | Set
    | Map
    | Push
    | Attribute
    | None
)
"""Whatever RESP can carry. An `int` has 64 bits; what is wider must be a `BigNumber`."""

OK = SimpleString("OK")
"""The reply that says: done, and there is nothing to tell."""

NULL_ARRAY = NullArray()
"""The null array; all instances are equal."""

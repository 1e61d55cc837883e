"""A law of every number on the wire: ASCII digits, whatever else Python would take for one."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import Command
from ezra.sansio.connection import BadCommand, Connection
from tests.property.wire import request, session

NO_NUMBERS = [
    *(
        b"1_0",
        b" +7 ",
        b" 7",
        b"7 ",
        b"+7",
        b"0x7",
        b"7\x00",
        b"7\n",
        b"\t7",
        b"7L",
        b"1e1",
        b"inf",
    ),
    *(b"nan", b"7,0", b"", b"\xb2", "\u0663".encode(), "\uff17".encode(), "\u00b2".encode()),
]
"""The last ones are an Arabic-Indic three, a full-width seven and a superscript two."""

COMMANDS = """
    SELECT N | HELLO N | CLIENT KILL ID N | CLIENT KILL MAXAGE N | CLIENT UNBLOCK N
    CLIENT LIST ID N | CLIENT TRACKING ON REDIRECT N | WAIT N 0 | WAIT 0 N | WAITAOF N 0 0
    XADD q N payload x | XADD q 1-N payload x | XADD q N-1 payload x | XADD q MAXLEN N * payload x
    XADD q MINID N * payload x | XADD q MAXLEN ~ 1 LIMIT N * payload x | XADD q * payload x ttl N
    XADD q * payload x priority N | XADD q * payload x delay N | XADD q * payload x run_at N
    XADD q * payload x max_attempts N | XADD q * payload x visibility_timeout N
    XADD q * payload x dedup_key k dedup_ttl N
    XREADGROUP GROUP g w COUNT N STREAMS q > | XREADGROUP GROUP g w BLOCK N STREAMS q >
    XREADGROUP GROUP g w STREAMS q N | XREADGROUP GROUP g w CLAIM N STREAMS q > | XACK q g N
    XDEL q N | XACKDEL q g IDS N 1-1 | XACKDEL q g IDS 1 N | XDELEX q IDS N 1-1
    XNACK q g FAIL IDS N 1-1 | XNACK q g FAIL IDS 1 N | XNACK q g FAIL IDS 1 1-1 RETRYCOUNT N
    XNACK q g FAIL IDS 1 1-1 DELAY N | XNACK q g FAIL IDS 1 1-1 ATTEMPT N
    XCLAIM q g w N 1-1 | XCLAIM q g w 0 1-1 IDLE N | XCLAIM q g w 0 1-1 TIME N
    XCLAIM q g w 0 1-1 RETRYCOUNT N | XAUTOCLAIM q g w N 0 | XAUTOCLAIM q g w 0 N
    XAUTOCLAIM q g w 0 0 COUNT N | XPENDING q g N + 1 | XPENDING q g - N 1 | XPENDING q g - + N
    XPENDING q g IDLE N - + 1 | XRANGE q N + | XRANGE q - N | XRANGE q (N + | XRANGE q - + COUNT N
    XREVRANGE q N - | XTRIM q MAXLEN N | XTRIM q MINID N | XTRIM q MAXLEN ~ 1 LIMIT N
    XINFO STREAM q FULL COUNT N | XGROUP CREATE q g N | XGROUP CREATE q g 0 ENTRIESREAD N
    XGROUP SETID q g N | XCFGSET q IDMP-DURATION N | XCFGSET q IDMP-MAXSIZE N | SCAN N
    SCAN 0 COUNT N | SLOWLOG GET N | EZRA.QUEUE SET q max_attempts N
    EZRA.QUEUE SET q visibility_timeout N
"""
LINES = [line.strip() for row in COMMANDS.strip().splitlines() for line in row.split(" | ")]


def _quoted(word: bytes) -> bytes:
    """Return the word as an inline request can have it."""
    return b'"' + b"".join(b"\\x%02x" % byte for byte in word) + b'"'


@pytest.mark.parametrize("line", LINES)
def test_a_number_is_ascii_digits(line: str) -> None:
    """Whichever command it belongs to, and however the command is sent."""
    for word in NO_NUMBERS:
        words = [_filled(part, word) for part in line.split()]
        machine = Connection(session())
        machine.receive_data(request(*words) + b" ".join(map(_quoted, words)) + b"\r\n")
        for event in (machine.next_event(), machine.next_event()):
            assert isinstance(event, BadCommand) or (isinstance(event, Command) and event.wrong)


def _filled(part: str, word: bytes) -> bytes:
    slot = part in {"N", "1-N", "N-1", "(N"}
    return part.encode().replace(b"N", word) if slot else part.encode()

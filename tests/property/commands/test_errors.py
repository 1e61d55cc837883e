"""Every error text of the commands, to the byte: what was sent, and what is read.

None of them closes the connection; that is a law of `tests/property/test_connection.py`.
"""

from __future__ import annotations

import pytest

from ezra.sansio.commands.arguments import MAX_NAME, MAX_REASON
from tests.property.wire import reply, reply_to

SYNTAX = "ERR syntax error"
INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
INTEGER = "ERR value is not an integer or out of range"
QUEUE = "ERR invalid queue: expected 1 to 512 bytes of UTF-8, with at most one ::dead, at the end"
SECONDS = "expected seconds from 0.000001 to 3153600000, as in 90 or 0.5"
NULLABLE = "expected seconds from 0 to 3153600000, as in 90 or 0.5"
KNOWN = (
    "ezra.ttl, ezra.max_attempts, ezra.visibility_timeout, ezra.delay, ezra.run_at, ezra.priority"
)
NO_DEAD = "ERR invalid queue: q::dead is the dead-letter queue of q; name that queue itself"
NO_MODE = "ERR invalid mode: no such mode; there are SILENT, FAIL, FATAL"
TWICE = "ERR invalid {}: given twice; a nack has one value for it"
READ = "XREADGROUP GROUP g w"
UNBALANCED = (
    "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' "
    "must be specified."
)
DOLLAR = (
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of "
    "this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would "
    "just return an empty result set."
)


def _arity(name: str) -> str:
    return f"ERR wrong number of arguments for '{name}' command"


ERRORS = {
    # any command
    "NOSUCH": "ERR unknown command 'NOSUCH', with args beginning with: ",
    "get a b": "ERR unknown command 'get', with args beginning with: 'a' 'b' ",
    "''": "ERR unknown command '', with args beginning with: ",
    "CLIENT": _arity("client"),
    "xgroup": _arity("xgroup"),
    "EZRA.QUEUE": _arity("ezra.queue"),
    "CLIENT Nosuch x": "ERR unknown subcommand 'Nosuch'. Try CLIENT HELP.",
    "client maint_notifications on": (
        "ERR unknown subcommand 'maint_notifications'. Try CLIENT HELP."
    ),
    "COMMAND NOSUCH": "ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP.",
    "XGROUP CREATE q g": _arity("xgroup|create"),
    "PING a b": _arity("ping"),
    "ECHO": _arity("echo"),
    "ECHO a b": _arity("echo"),
    "SELECT": _arity("select"),
    "CLIENT GETNAME x": _arity("client|getname"),
    "XADD q * payload": _arity("xadd"),
    "XACK q g": _arity("xack"),
    "XREADGROUP GROUP g w COUNT 1": _arity("xreadgroup"),
    # connection
    "HELLO x": "ERR Protocol version is not an integer or out of range",
    "HELLO 4": "NOPROTO unsupported protocol version",
    "HELLO 1 SETNAME x": "NOPROTO unsupported protocol version",
    "HELLO 3 AUTH default": "ERR Syntax error in HELLO option 'AUTH'",
    "HELLO 3 setname": "ERR Syntax error in HELLO option 'setname'",
    "HELLO 3 nosuch x": "ERR Syntax error in HELLO option 'nosuch'",
    "SELECT 1": "ERR DB index is out of range",
    "SELECT -1": "ERR DB index is out of range",
    "SELECT x": INTEGER,
    "CLIENT SETINFO LIB-NOPE x": "ERR Unrecognized option 'LIB-NOPE'",
}


@pytest.mark.parametrize("line", ERRORS)
def test_text(line: str) -> None:
    """A command that is wrong is answered with exactly this text, in both protocols."""
    expected = f"-{ERRORS[line]}\r\n".encode()
    assert reply(line, protocol=2) == expected
    assert reply(line, protocol=3) == expected


NAMES = [
    ([b"XACK", b"q", b"\xff", b"1-1"], "group"),
    ([b"XACK", b"q", b"g" * (MAX_NAME + 1), b"1-1"], "group"),
    ([b"XNACK", b"q", b"\xff", b"1-1"], "group"),
    ([b"XREADGROUP", b"GROUP", b"g", b"\xff", b"STREAMS", b"q", b">"], "worker"),
    ([b"XGROUP", b"CREATE", b"q", b"\xff", b"$"], "group"),
]


@pytest.mark.parametrize(("words", "name"), NAMES)
def test_names_are_utf8(words: list[bytes], name: str) -> None:
    """A group or worker that is not short UTF-8 is refused, and the error says which it was."""
    expected = f"-ERR invalid {name}: expected at most {MAX_NAME} bytes of UTF-8\r\n"
    assert reply_to(words) == expected.encode()


@pytest.mark.parametrize("reason", [b"\xff", b"x" * (MAX_REASON + 1)])
def test_a_reason_is_utf8(reason: bytes) -> None:
    """A reason that cannot be kept as a text is refused; the nack does not happen."""
    words = [b"XNACK", b"q", b"g", b"FAIL", b"IDS", b"1", b"1-1", b"REASON", reason]
    assert reply_to(words) == b"-ERR invalid reason: expected at most 65536 bytes of UTF-8\r\n"


@pytest.mark.parametrize("queue", [b"\xff", b"q" * (MAX_NAME + 1), "ü".encode() * 257])
def test_a_queue_is_short_utf8(queue: bytes) -> None:
    """A queue's name has 1 to 512 bytes of UTF-8: bytes, not characters."""
    assert reply_to([b"XLEN", queue]) == f"-{QUEUE}\r\n".encode()
    assert reply_to([b"XLEN", queue + b"::dead"]) == f"-{QUEUE}\r\n".encode()


@pytest.mark.parametrize("name", [b"a b", b"a\nb", "ü".encode(), b"\x7f", b"a\0"])
def test_a_client_name_is_printable(name: bytes) -> None:
    """What a list of clients shows holds nothing that could end a field or a line of it."""
    expected = b"-ERR Client names cannot contain spaces, newlines or special characters.\r\n"
    assert reply_to([b"CLIENT", b"SETNAME", name]) == expected
    assert reply_to([b"HELLO", b"3", b"SETNAME", name]) == expected
    info = b"-ERR lib-name cannot contain spaces, newlines or special characters.\r\n"
    assert reply_to([b"CLIENT", b"SETINFO", b"lib-name", name]) == info


def test_a_client_name_is_short() -> None:
    """What each connection keeps of what its client says about itself is bounded."""
    name = b"x" * MAX_NAME
    error = b"-ERR invalid client name or version: expected at most 512 bytes of UTF-8\r\n"
    for words in ([b"CLIENT", b"SETNAME"], [b"CLIENT", b"SETINFO", b"lib-ver"]):
        assert reply_to([*words, name]) == b"+OK\r\n"
        assert reply_to([*words, name + b"x"]) == error
    assert reply_to([b"HELLO", b"3", b"SETNAME", name + b"x"]) == error


def test_an_unknown_command_is_echoed_in_part() -> None:
    """At most 128 bytes of the name and about as many of its arguments come back."""
    name, argument = b"x" * 200, b"y" * 200
    expected = b"-ERR unknown command '%s', with args beginning with: '%s' \r\n"
    assert reply_to([name, argument, b"z"]) == expected % (b"x" * 128, b"y" * 128)
    many = reply_to([b"x"] + [b"abcdefg"] * 30)
    assert many == expected % (b"x", b"' '".join([b"abcdefg"] * 13))
    subcommand = reply_to([b"CLIENT", b"x" * 200])
    assert subcommand == b"-ERR unknown subcommand '%s'. Try CLIENT HELP.\r\n" % (b"x" * 128)


@pytest.mark.parametrize(
    "words",
    [
        [b"a\r\n+OK", b"\r\n:1"],
        [b"CLIENT", b"a\r\n+OK"],
        [b"HELLO", b"3", b"a\r\n+OK"],
        [b"CLIENT", b"SETINFO", b"a\r\n+OK", b"x"],
        [b"XADD", b"a\r\nb::dead", b"*", b"a", b"b"],
        [b"XADD", b"q", b"*", b"ezra.\r\n+OK", b"b"],
        [b"EZRA.QUEUE", b"SET", b"q", b"\r\n+OK", b"b"],
        [b"EZRA.QUEUE", b"GET", b"\r\n+OK::dead"],
    ],
)
def test_no_reply_can_be_injected(words: list[bytes]) -> None:
    """Whatever an error repeats, it is one line."""
    answer = reply_to(words)
    assert answer.startswith(b"-")
    assert answer.endswith(b"\r\n")
    assert not {b"\r"[0], b"\n"[0]} & set(answer[:-2])


def test_bytes_that_are_no_text_are_echoed_as_they_came() -> None:
    """An unknown name that is not UTF-8 comes back unchanged, up to its first NUL."""
    expected = b"-ERR unknown command '\xff\xfe', with args beginning with: 'a' \r\n"
    assert reply_to([b"\xff\xfe\x00z", b"a\x00b"]) == expected

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
    # XADD
    "XADD q * payload x y": _arity("xadd"),
    "XADD q 1-1 a": _arity("xadd"),
    "XADD q MAXLEN 5 *": _arity("xadd"),
    "XADD q 0-0 a b": "ERR The ID specified in XADD must be greater than 0-0",
    "XADD q 0 a b": "ERR The ID specified in XADD must be greater than 0-0",
    "XADD q 0-0 a b c": _arity("xadd"),
    "XADD q 1-x a b": INVALID_ID,
    "XADD q 1-* a b": INVALID_ID,
    "XADD q -1 a b": INVALID_ID,
    "XADD q 18446744073709551616 a b": INVALID_ID,
    "XADD q 1-18446744073709551616 a b": INVALID_ID,
    "XADD q 1-1048576 a b": (
        "ERR invalid id: the number after the dash goes up to 1048575; "
        "use * to have the server make one"
    ),
    "XADD q 8796093022208-0 a b": (
        "ERR invalid id: more than a day ahead of the server's clock; "
        "use * to have the server make one"
    ),
    "XADD q MAXLEN -1 * a b": "ERR The MAXLEN argument must be >= 0.",
    "XADD q MAXLEN x * a b": INTEGER,
    "XADD q MINID x * a b": INVALID_ID,
    "XADD q MAXLEN 1 MINID 1 * a b": (
        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
    ),
    "XADD q MAXLEN 1 LIMIT 5 * a b": (
        "ERR syntax error, LIMIT cannot be used without the special ~ option"
    ),
    "XADD q LIMIT 5 * a b": (
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
    ),
    "XADD q MAXLEN ~ 1 LIMIT -5 * a b": "ERR The LIMIT argument must be >= 0.",
    "XADD q MAXLEN ~ 1 LIMIT x * a b": INTEGER,
    "XADD q NOMKSTREAM NOMKSTREAM NOMKSTREAM MAXLEN": SYNTAX,
    "XADD q idmp p i * a b": (
        "ERR IDMP and IDMPAUTO are not supported by this version of EZRA; nothing was pushed"
    ),
    "XADD q IDMPAUTO p * a b": (
        "ERR IDMP and IDMPAUTO are not supported by this version of EZRA; nothing was pushed"
    ),
    "XADD q::dead * a b": (
        "ERR q::dead is the dead-letter queue of q: tasks get there when their attempts are used "
        "up, none can be pushed there"
    ),
    "XADD '' * a b": QUEUE,
    "XADD ::dead * a b": QUEUE,
    "XADD q::dead::dead * a b": QUEUE,
    # a task's options
    "XADD q * payload x ttl 0": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 0.0000009": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl -1": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl +1": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 1e3": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl inf": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl nan": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 1_0": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 1.": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl .5": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl ''": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl 3153600001": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x ttl ١": f"ERR invalid ttl: {SECONDS}",
    "XADD q * payload x visibility_timeout 0": f"ERR invalid visibility_timeout: {SECONDS}",
    "XADD q * payload x delay -0": f"ERR invalid delay: {NULLABLE}",
    "XADD q * payload x run_at 1700000000000": (
        "ERR invalid run_at: expected seconds from 0 to 8796093022, as in 90 or 0.5"
    ),
    "XADD q * payload x max_attempts 0": (
        "ERR invalid max_attempts: expected a whole number from 1 to 1000000"
    ),
    "XADD q * payload x max_attempts 1.0": (
        "ERR invalid max_attempts: expected a whole number from 1 to 1000000"
    ),
    "XADD q * payload x max_attempts 01": (
        "ERR invalid max_attempts: expected a whole number from 1 to 1000000"
    ),
    "XADD q * payload x priority 128": (
        "ERR invalid priority: expected a whole number from -128 to 127"
    ),
    "XADD q * payload x priority high": (
        "ERR invalid priority: expected a whole number from -128 to 127"
    ),
    "XADD q * payload x payload y": (
        "ERR invalid payload: given twice; a task has one payload field"
    ),
    "XADD q * payload '' payload ''": (
        "ERR invalid payload: given twice; a task has one payload field"
    ),
    "XADD q * payload x ttl 1 ttl 1": "ERR invalid ttl: given twice; a task has one value for it",
    "XADD q * payload x ttl 1 ezra.ttl 2": (
        "ERR invalid ttl: given twice; a task has one value for it"
    ),
    "XADD q * payload x delay 1 run_at 1": (
        "ERR invalid delay: given together with run_at; give one of them"
    ),
    "XADD q * payload x ezra.nosuch 1": (
        f"ERR invalid ezra.nosuch: no such option; there are {KNOWN}"
    ),
    "XADD q * data x ezra.nosuch 1": f"ERR invalid ezra.nosuch: no such option; there are {KNOWN}",
    "XADD q * data x ezra.payload 1": (
        f"ERR invalid ezra.payload: no such option; there are {KNOWN}"
    ),
    "XADD q * data x ezra.ttl abc": f"ERR invalid ttl: {SECONDS}",
    # XREADGROUP
    f"{READ} COUNT 1 BLOCK 1": SYNTAX,
    f"{READ} COUNT 1 STREAMS": SYNTAX,
    f"{READ} NOSUCH STREAMS q >": SYNTAX,
    f"{READ} COUNT abc STREAMS q >": INTEGER,
    f"{READ} COUNT 9223372036854775808 STREAMS q >": INTEGER,
    f"{READ} BLOCK x STREAMS q >": "ERR timeout is not an integer or out of range",
    f"{READ} BLOCK 1.5 STREAMS q >": "ERR timeout is not an integer or out of range",
    f"{READ} BLOCK -5 STREAMS q >": "ERR timeout is negative",
    f"{READ} STREAMS q r >": UNBALANCED,
    "XREADGROUP COUNT 1 BLOCK 1 STREAMS q >": "ERR Missing GROUP option for XREADGROUP",
    f"{READ} STREAMS q $": DOLLAR,
    f"{READ} STREAMS q x": INVALID_ID,
    f"{READ} COUNT 1 CLAIM 100 STREAMS q >": (
        "ERR XREADGROUP's CLAIM is not supported by this version of EZRA, and not needed: "
        "a task whose lease has lapsed is claimed again by itself"
    ),
    f"{READ} STREAMS ::dead >": QUEUE,
    # XACK, XDEL, XNACK
    "XACK q g 1-1 x": INVALID_ID,
    "XACK '' g 1-1": QUEUE,
    "XDEL q x": INVALID_ID,
    "XDEL q ''": INVALID_ID,
    "XNACK q g x": INVALID_ID,
    "XNACK q g NOPE 1-1": INVALID_ID,
    "XNACK q g NOPE IDS 1 1-1": NO_MODE,
    "XNACK q g 1-1 FORCE ids 1 1-1": NO_MODE,
    "XNACK q g FAIL": SYNTAX,
    "XNACK q g FAIL 1 1-1": SYNTAX,
    "XNACK q g FAIL IDS": SYNTAX,
    "XNACK q g FAIL IDS 0 1-1": "ERR Number of IDs must be a positive integer",
    "XNACK q g FAIL IDS x 1-1": "ERR Number of IDs must be a positive integer",
    "XNACK q g FAIL IDS 2 1-1": ("ERR The `numids` parameter must match the number of arguments"),
    "XNACK q g FAIL IDS 1 1-1 1-2": SYNTAX,
    "XNACK q g FAIL IDS 1 x": INVALID_ID,
    "XNACK q g FAIL IDS 1 1-1 ids 1 1-1": TWICE.format("ids"),
    "XNACK q g FAIL IDS 1 1-1 DELAY 1 delay 2": TWICE.format("delay"),
    "XNACK q g FAIL IDS 1 1-1 REASON a REASON a": TWICE.format("reason"),
    "XNACK q g FAIL IDS 1 1-1 ATTEMPT 1 ATTEMPT 1": TWICE.format("attempt"),
    "XNACK q g FAIL IDS 1 1-1 RETRYCOUNT 1 RETRYCOUNT 1": TWICE.format("retrycount"),
    "XNACK q g FAIL IDS 1 1-1 FORCE FORCE": TWICE.format("force"),
    "XNACK q g FAIL IDS 1 1-1 DELAY": SYNTAX,
    "XNACK q g FAIL IDS 1 1-1 DELAY x": f"ERR invalid delay: {NULLABLE}",
    "XNACK q g FAIL IDS 1 1-1 ATTEMPT 0": (
        "ERR invalid attempt: expected a whole number from 1 to 1000000"
    ),
    "XNACK q g FAIL IDS 1 1-1 RETRYCOUNT -1": (
        "ERR invalid retrycount: expected a whole number from 0 to 9223372036854775807"
    ),
    # XGROUP, XINFO, XLEN, EZRA.QUEUE
    "XGROUP CREATE q g x": INVALID_ID,
    "XGROUP CREATE q g $ NOSUCH": (
        "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."
    ),
    "XGROUP CREATE q g $ ENTRIESREAD": (
        "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."
    ),
    "XGROUP CREATE q g $ ENTRIESREAD x": INTEGER,
    "XGROUP CREATE q g $ ENTRIESREAD -2": "ERR value for ENTRIESREAD must be positive or -1",
    "XINFO STREAM q FULL": "ERR XINFO STREAM FULL is not supported by this version of EZRA",
    "XINFO STREAM q x": (
        "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."
    ),
    "XINFO GROUPS q": "ERR unknown subcommand 'GROUPS'. Try XINFO HELP.",
    "XLEN ''": QUEUE,
    "EZRA.QUEUE GET q::dead": NO_DEAD,
    "EZRA.QUEUE SET q::dead max_attempts 1": NO_DEAD,
    "EZRA.QUEUE SET q max_attempts 1 retry_delay": _arity("ezra.queue|set"),
    "EZRA.QUEUE SET q nosuch 1": (
        "ERR invalid nosuch: no such setting; there are "
        "visibility_timeout, max_attempts, retry_delay"
    ),
    "EZRA.QUEUE SET q max_attempts 1 MAX_ATTEMPTS 2": (
        "ERR invalid max_attempts: given twice; a setting has one value"
    ),
    "EZRA.QUEUE SET q visibility_timeout 0": f"ERR invalid visibility_timeout: {SECONDS}",
    "EZRA.QUEUE SET q retry_delay x": f"ERR invalid retry_delay: {NULLABLE}",
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

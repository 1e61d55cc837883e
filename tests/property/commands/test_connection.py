"""Laws of `ezra.sansio.commands.connection`: PING and its like, and what they do to a session."""

from __future__ import annotations

from ezra.sansio.commands import Echo, Hello, Ping, Quit, Reset, Select, parse
from ezra.sansio.session import Replies, Tracking
from tests.property.wire import session, split


def test_the_plain_ones() -> None:
    """PING, ECHO, SELECT and QUIT are read in any case and leave the session alone."""
    own = session()
    for line, command in {
        "ping": Ping(),
        "Ping x": Ping(b"x"),
        "echo x": Echo(b"x"),
        "select 0": Select(0),
        "quit": Quit(),
        "quit now please": Quit(),
        "reset": Reset(),
    }.items():
        parsed = parse(split(line))
        assert parsed == command
        command.answer(own)
    assert own == session()


def test_barriers() -> None:
    """HELLO, RESET and QUIT hold up what comes after them; the others do not."""
    assert Hello().barrier
    assert Reset().barrier
    assert Quit().barrier
    assert not Ping().barrier


def test_reset_forgets_what_the_client_said() -> None:
    """As the reply is made: RESP2, no name, all replies, no tracking. The library stays."""
    own = session(3)
    own.name, own.lib_name, own.lib_ver = "me", "lib", "1"
    own.replies, own.tracking = Replies.OFF, Tracking()
    own.no_evict = own.no_touch = True
    Reset().answer(own)
    assert own.name == "me"
    Reset().take_effect(None, own)
    expected = session(2)
    expected.lib_name, expected.lib_ver = "lib", "1"
    assert own == expected

"""Laws of `ezra.sansio.commands.tracking`: what is said is kept, checked, and told again."""

from __future__ import annotations

import pytest

from ezra.sansio.commands import ConnectionCommand, ServerCommand, parse
from ezra.sansio.errors import CommandError
from ezra.sansio.resp.encoder import encode
from ezra.sansio.resp.values import SimpleError
from ezra.sansio.session import Session, Tracking
from tests.property.fake_host import FakeHost
from tests.property.wire import reply, session, split

ERR = "ERR "
SWITCH = (
    " before disabling tracking for this client, and then re-enabling it with a different mode."
)


def _say(own: Session, line: str, protocol: int = 2) -> bytes:
    """Return what the client of this session reads that says this."""
    command = parse(split(f"CLIENT {line}"))
    result: object
    if isinstance(command, ServerCommand):
        result = command.answer(FakeHost(own), own)
    else:
        assert isinstance(command, ConnectionCommand)
        result = command.answer(own)
    if isinstance(result, CommandError):
        return encode(SimpleError(str(result)), 2)
    return encode(command.reply(result, protocol), 3 if protocol == 3 else 2)


def test_what_was_said_is_told_again() -> None:
    """What rueidis says (TRACKING ON OPTIN) is OK, and TRACKINGINFO shows it; OFF forgets it."""
    own = session()
    off = (
        b"*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n"
    )
    assert _say(own, "TRACKINGINFO") == off
    assert _say(own, "tracking on optin") == b"+OK\r\n"
    assert own.tracking == Tracking(opt_in=True)
    assert _say(own, "TRACKINGINFO", 3) == (
        b"%3\r\n$5\r\nflags\r\n~2\r\n$2\r\non\r\n$5\r\noptin\r\n"
        b"$8\r\nredirect\r\n:0\r\n$8\r\nprefixes\r\n*0\r\n"
    )
    assert _say(own, "TRACKING OFF") == b"+OK\r\n"
    assert _say(own, "TRACKINGINFO") == off


def test_everything_at_once() -> None:
    """Options in any order; prefixes add up; the redirection must be to somebody who is there."""
    own = session()
    assert _say(own, "TRACKING ON NOLOOP PREFIX a BCAST PREFIX b REDIRECT 7") == b"+OK\r\n"
    assert own.tracking == Tracking(broadcast=True, no_loop=True, redirect=7, prefixes=(b"a", b"b"))
    assert _say(own, "GETREDIR") == b":7\r\n"
    assert b"*3\r\n$2\r\non\r\n$5\r\nbcast\r\n$6\r\nnoloop\r\n" in _say(own, "TRACKINGINFO")


def test_redirections() -> None:
    """-1 while tracking is off, 0 for none."""
    own = session()
    assert _say(own, "GETREDIR") == b":-1\r\n"
    _say(own, "TRACKING ON")
    assert _say(own, "GETREDIR") == b":0\r\n"


REFUSED = {
    "TRACKING ON OPTIN OPTOUT": "You can't specify both OPTIN mode and OPTOUT mode",
    "TRACKING ON BCAST OPTIN": "OPTIN and OPTOUT are not compatible with BCAST",
    "TRACKING ON BCAST OPTOUT": "OPTIN and OPTOUT are not compatible with BCAST",
    "TRACKING ON PREFIX a": "PREFIX option requires BCAST mode to be enabled",
    "TRACKING ON REDIRECT 99": "The client ID you want redirect to does not exist",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_makes_no_sense_changes_nothing(line: str) -> None:
    """Redis' own texts; tracking stays as it was."""
    own = session()
    assert _say(own, line) == f"-ERR {REFUSED[line]}\r\n".encode()
    assert own.tracking is None


@pytest.mark.parametrize(
    ("first", "second", "modes"),
    [
        ("OPTIN", "OPTOUT", "OPTIN/OPTOUT mode"),
        ("OPTOUT", "OPTIN", "OPTIN/OPTOUT mode"),
        ("OPTIN", "BCAST", "BCAST mode on/off"),
        ("BCAST", "", "BCAST mode on/off"),
    ],
)
def test_modes_are_not_switched(first: str, second: str, modes: str) -> None:
    """Who wants another mode says OFF first; the same again is OK."""
    own = session()
    _say(own, f"TRACKING ON {first}")
    kept = own.tracking
    assert _say(own, f"TRACKING ON {first}") == b"+OK\r\n"
    expected = f"-ERR You can't switch {modes}{SWITCH}\r\n"
    assert _say(own, f"TRACKING ON {second}") == expected.encode()
    assert own.tracking == kept


def test_caching_belongs_to_its_mode() -> None:
    """YES where OPTIN was chosen, NO where OPTOUT was; else Redis' errors."""
    own = session()
    can = b"-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN "
    assert _say(own, "CACHING YES") == can + b"or OPTOUT mode enabled\r\n"
    _say(own, "TRACKING ON OPTIN")
    no = b"-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.\r\n"
    assert (_say(own, "CACHING yes"), _say(own, "CACHING NO")) == (b"+OK\r\n", no)
    _say(own, "TRACKING OFF")
    _say(own, "TRACKING ON OPTOUT")
    yes = b"-ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.\r\n"
    assert (_say(own, "CACHING YES"), _say(own, "CACHING no")) == (yes, b"+OK\r\n")


@pytest.mark.parametrize(
    ("line", "error"),
    {
        "TRACKING x": "ERR syntax error",
        "TRACKING ON FOO": "ERR syntax error",
        "TRACKING ON REDIRECT": "ERR syntax error",
        "TRACKING ON REDIRECT x": "ERR value is not an integer or out of range",
        "CACHING maybe": "ERR syntax error",
    }.items(),
)
def test_texts(line: str, error: str) -> None:
    """Redis' own, to the byte."""
    assert reply(f"CLIENT {line}") == f"-{error}\r\n".encode()

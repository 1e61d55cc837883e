"""Laws of `ezra.sansio.commands.connection`: HELLO and its like, and what they do to a session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import Echo, Greeting, Hello, Ping, Quit, Select, parse
from ezra.sansio.errors import CommandError
from ezra.sansio.session import ServerIdentity
from tests.property.wire import session, split


@given(
    st.sampled_from(["HELLO", "hello"]),
    st.permutations(["AUTH default s3cret", "SETNAME me"]),
    st.sampled_from([str, str.lower, str.title]),
)
def test_options_stand_in_any_order(name: str, options: list[str], case: type[str]) -> None:
    """HELLO's options come in any order and case, as go-redis and node-redis send them."""
    line = " ".join(options).replace("AUTH", case("AUTH")).replace("SETNAME", case("SETNAME"))
    assert parse(split(f"{name} 3 {line}")) == Hello(3, (b"default", b"s3cret"), "me")


def test_hello_alone_changes_nothing() -> None:
    """Without a version HELLO keeps the one that is spoken."""
    own = session(3)
    assert parse([b"HELLO"]) == Hello()
    assert Hello().answer(own) == Greeting(7, 3, "8.2.0", 10_203)
    assert own == session(3)


def test_the_name_is_noted_and_the_protocol_is_not_yet() -> None:
    """The protocol changes as the reply is sent, which is not this command's to do."""
    own = session(2)
    greeting = Hello(3, (b"default", b"anything"), "me").answer(own)
    assert greeting == Greeting(7, 3, "8.2.0", 10_203)
    assert (own.name, own.protocol) == ("me", 2)


def test_a_wrong_user_changes_nothing() -> None:
    """Nobody but `default` can log in, and a refused HELLO gives no name."""
    own = session()
    answer = Hello(3, (b"root", b"x"), "me").answer(own)
    assert isinstance(answer, CommandError)
    assert str(answer).startswith("WRONGPASS ")
    assert own == session()


def test_an_empty_name_takes_the_name_away() -> None:
    """SETNAME with an empty name is how a name is cleared."""
    own = session()
    own.name = "me"
    Hello(client_name="").answer(own)
    assert own.name == ""


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
    }.items():
        parsed = parse(split(line))
        assert parsed == command
        command.answer(own)
    assert own == session()


def test_barriers() -> None:
    """HELLO and QUIT hold up what comes after them; the others do not."""
    assert Hello().barrier
    assert Quit().barrier
    assert not Ping().barrier


@pytest.mark.parametrize(
    ("version", "number"),
    [("0.1.0", 100), ("1.2.3", 10_203), ("2.0", 20_000), ("1.2.3.dev4", 10_203), ("", 0)],
)
def test_the_version_of_the_module(version: str, number: int) -> None:
    """EZRA's version is numbered as Redis numbers those of modules."""
    assert ServerIdentity(version).module_version == number

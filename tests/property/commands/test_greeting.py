"""Laws of `ezra.sansio.commands.greeting`: HELLO and AUTH, and what they do to a session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import Auth, Greeting, Hello, parse
from ezra.sansio.errors import CommandError
from tests.property.wire import reply, session, split


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
    """Nobody but `default` can log in, and a refused HELLO gives no name; it is only counted."""
    own = session()
    answer = Hello(3, (b"root", b"x"), "me").answer(own)
    assert isinstance(answer, CommandError)
    assert str(answer).startswith("WRONGPASS ")
    assert own.failed_logins == 1
    own.failed_logins = 0
    assert own == session()


def test_an_empty_name_takes_the_name_away() -> None:
    """SETNAME with an empty name is how a name is cleared."""
    own = session()
    own.name = "me"
    Hello(client_name="").answer(own)
    assert own.name == ""


def test_the_greeting_is_spoken_in_the_protocol_chosen() -> None:
    """HELLO's own reply is the first in the new protocol."""
    own = session(2)
    hello = Hello(3)
    greeting = hello.answer(own)
    assert isinstance(greeting, Greeting)
    hello.take_effect(greeting, own)
    assert own.protocol == 3


@pytest.mark.parametrize(
    ("line", "expected"),
    {
        "AUTH default anything": "+OK",
        "auth x": (
            "-ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?"
        ),
        "AUTH root x": "-WRONGPASS invalid username-password pair or user is disabled.",
        "AUTH a b c": "-ERR syntax error",
    }.items(),
)
def test_auth_without_a_password_on_the_server(line: str, expected: str) -> None:
    """Redis' own answers: the default user needs none, a password alone is a misunderstanding."""
    assert reply(line) == expected.encode() + b"\r\n"
    assert parse(split("AUTH u p")) == Auth(b"u", b"p")

"""Laws of `ezra.sansio.commands.client`: what CLIENT does to a session."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands import ClientGetName, ClientId, ClientSetInfo, ClientSetName, parse
from tests.property.wire import session, split

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@given(NAMES)
def test_names_come_back(name: str) -> None:
    """Any printable name is kept and given back; the empty one is no name."""
    own = session()
    command = parse([b"client", b"setName", name.encode()])
    assert command == ClientSetName(name)
    ClientSetName(name).answer(own)
    get = ClientGetName()
    assert get.reply(get.answer(own), 2) == (name.encode() or None)


def test_the_library_is_noted() -> None:
    """LIB-NAME and LIB-VER are separate, in any case, and touch nothing else."""
    own = session()
    for line in ("CLIENT SETINFO LIB-NAME redis-py", "client setinfo lib-ver 8.1.0"):
        command = parse(split(line))
        assert isinstance(command, ClientSetInfo)
        command.answer(own)
    expected = session()
    expected.lib_name, expected.lib_ver = "redis-py", "8.1.0"
    assert own == expected


def test_the_id_is_the_sessions() -> None:
    """CLIENT ID answers the session's number."""
    assert parse(split("client id")) == ClientId()
    assert parse(split("client getname")) == ClientGetName()
    assert ClientId().answer(session()) == 7

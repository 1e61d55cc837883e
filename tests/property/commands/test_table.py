"""Laws of `ezra.sansio.commands.table`: every command's entry, and COMMAND, which shows them."""

from __future__ import annotations

from types import ModuleType

import pytest

from ezra.sansio import commands
from ezra.sansio.commands import (
    TABLE,
    CommandAll,
    CommandCount,
    CommandDocs,
    CommandInfo,
    CommandList,
    ConnectionCommand,
    parse,
)
from ezra.sansio.resp.values import Map, Set, SimpleString, Value
from tests.property.wire import reply_to, session, split

TOP = sorted({name.split()[0].lower().encode() for name in TABLE})


def _shown(line: str) -> Value:
    command = parse(split(line))
    assert isinstance(command, ConnectionCommand)
    answer = command.answer(session())
    assert answer is None
    return command.reply(None, 3)


def _tuple(value: Value) -> tuple[Value, ...]:
    assert isinstance(value, tuple)
    return value


@pytest.mark.parametrize("name", sorted(TABLE))
def test_specs_are_complete(name: str) -> None:
    """What the docs are made of is there: a line of help, every reply, and the names agree."""
    spec = TABLE[name].SPEC
    assert spec.name == name == name.upper()
    assert spec.summary.endswith(".")
    assert "\n" not in spec.summary
    assert spec.replies
    assert abs(spec.arity) >= len(name.split())


def test_command_shows_every_command() -> None:
    """COMMAND, COMMAND COUNT, LIST and DOCS agree on which commands there are."""
    assert parse([b"command"]) == CommandAll()
    everything = _tuple(_shown("COMMAND"))
    assert sorted(str(_tuple(item)[0]) for item in everything) == [str(name) for name in TOP]
    assert _shown("command count") == len(TOP) == len(everything)
    assert parse(split("COMMAND COUNT")) == CommandCount()
    assert parse(split("COMMAND LIST")) == CommandList()
    assert sorted(map(str, _tuple(_shown("COMMAND LIST")))) == [str(name) for name in TOP]
    docs = _shown("COMMAND DOCS")
    assert isinstance(docs, Map)
    assert sorted(str(name) for name, _ in docs.pairs) == [str(name) for name in TOP]
    assert _shown("COMMAND INFO") == everything


def test_command_info() -> None:
    """Ten items a command, as Redis 7 has them: keys, flags as a set, subcommands nested."""
    flags = Set((SimpleString("write"), SimpleString("fast")))
    xadd = (b"xadd", -5, flags, 1, 1, 1, Set(()), (), (), ())
    create = (b"xgroup|create", -5, Set((SimpleString("write"),)), 2, 2, 1, Set(()), (), (), ())
    xgroup = (b"xgroup", -2, Set(()), 0, 0, 0, Set(()), (), (), (create,))
    assert parse(split("COMMAND INFO xadd")) == CommandInfo(("XADD",))
    assert _shown("COMMAND INFO xadd nosuch XGROUP xgroup|CREATE") == (
        xadd,
        None,
        xgroup,
        create,
    )
    assert reply_to(split("COMMAND INFO nosuch")) == b"*1\r\n$-1\r\n"


def test_command_docs() -> None:
    """A map of maps; what is unknown is left out; a container's subcommands are within it."""
    create = TABLE["XGROUP CREATE"].SPEC
    inner = Map(((b"summary", create.summary.encode()), (b"since", b"0.1.0"), (b"group", b"queue")))
    outer = Map(
        (
            (b"summary", b"The subcommands of XGROUP."),
            (b"since", b"0.1.0"),
            (b"group", b"queue"),
            (b"subcommands", Map(((b"xgroup|create", inner),))),
        )
    )
    assert parse(split("COMMAND DOCS xgroup")) == CommandDocs(("XGROUP",))
    assert _shown("COMMAND DOCS xgroup nosuch") == Map(((b"xgroup", outer),))
    assert _shown("COMMAND DOCS nosuch") == Map(())


def test_names_are_ascii_in_any_case() -> None:
    """What only Unicode takes for another case of a name is another name."""
    assert _shown("COMMAND INFO pIng") == _shown("COMMAND INFO PING") != (None,)
    assert _shown("COMMAND INFO p\u0131ng") == (None,)


def test_the_public_names_are_exactly_those_of_all() -> None:
    """The package offers what its `__all__` says, no more and no less."""
    public = {
        name
        for name, value in vars(commands).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(commands.__all__)

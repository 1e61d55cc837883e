"""Laws of `ezra.sansio.commands.table`: finding commands, and COMMAND, which shows them."""

from __future__ import annotations

import re

import pytest

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
from ezra.sansio.errors import CommandError
from ezra.sansio.resp.values import NULL_ARRAY, Map, Set, SimpleString, Value
from tests.property.wire import session, split

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
def test_arity(name: str) -> None:
    """A command with too few words, or too many, is answered with Redis' text for it."""
    spec = TABLE[name].SPEC
    expected = f"ERR wrong number of arguments for '{spec.wire_name}' command"
    names = name.lower().encode().split()
    least = abs(spec.arity)
    assert (spec.fits(least - 1), spec.fits(least)) == (False, True)
    assert spec.fits(least + 1) == (spec.arity < 0)
    wrong = [count for count in range(len(names), 9) if not spec.fits(count)]
    for count in wrong:
        with pytest.raises(CommandError, match=re.escape(expected)):
            parse(names + [b"x"] * (count - len(names)))


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
        NULL_ARRAY,
        xgroup,
        create,
    )


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

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
from ezra.sansio.commands.base import CATEGORIES
from ezra.sansio.errors import CommandError
from ezra.sansio.resp.encoder import encode
from ezra.sansio.resp.values import Map, Set, SimpleString, Value
from tests.property.wire import reply_to, session, split

TOP = sorted({name.split()[0].lower().encode() for name in TABLE})


def _shown(line: str) -> Value:
    command = parse(split(line))
    assert isinstance(command, ConnectionCommand)
    answer = command.answer(session())
    assert answer is None
    return command.reply(None, 3)


def _set(*flags: str) -> Set:
    return Set(tuple(SimpleString(flag) for flag in flags))


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
    none = Set(())
    both = _set("@write", "@stream", "@fast")
    xadd = (b"xadd", -5, _set("write", "fast"), 1, 1, 1, both, none, none, none)
    slow = _set("@write", "@stream", "@slow")
    create = (b"xgroup|create", -5, _set("write"), 2, 2, 1, slow, none, none, none)
    assert parse(split("COMMAND INFO xadd")) == CommandInfo(("XADD",))
    found = _tuple(_shown("COMMAND INFO xadd nosuch XGROUP xgroup|CREATE"))
    assert found[:2] + found[3:] == (xadd, None, create)
    *head, within = _tuple(found[2])
    assert head == [b"xgroup", -2, none, 0, 0, 0, _set("@stream", "@slow"), none, none]
    assert _tuple(within)[0] == create
    assert len(_tuple(within)) == sum(name.startswith("XGROUP ") for name in TABLE)
    assert reply_to(split("COMMAND INFO nosuch")) == b"*1\r\n$-1\r\n"


def test_command_docs() -> None:
    """A map of maps; what is unknown is left out; a container's subcommands are within it."""
    create = TABLE["XGROUP CREATE"].SPEC
    inner = Map(((b"summary", create.summary.encode()), (b"since", b"0.1.0"), (b"group", b"queue")))
    assert parse(split("COMMAND DOCS xgroup")) == CommandDocs(("XGROUP",))
    for line in ("COMMAND DOCS ping xgroup XGROUP", "COMMAND INFO xgroup|create XGROUP|CREATE"):
        with pytest.raises(CommandError, match=r"^ERR xgroup(\|create)? is named twice"):
            parse(split(line))
    assert _shown("COMMAND INFO nosuch nosuch") == (None, None)
    found = _shown("COMMAND DOCS xgroup nosuch")
    assert isinstance(found, Map)
    [(name, outer)] = found.pairs
    assert (name, isinstance(outer, Map)) == (b"xgroup", True)
    *pairs, (last, within) = outer.pairs  # type: ignore[union-attr]  # it is a map
    assert pairs == [
        (b"summary", b"The subcommands of XGROUP."),
        (b"since", b"0.1.0"),
        (b"group", b"queue"),
    ]
    assert (last, within.pairs[0]) == (b"subcommands", (b"xgroup|create", inner))  # type: ignore[union-attr]  # a map, too
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


@pytest.mark.parametrize(
    ("line", "keys"),
    {
        "xadd a 1 b c": "a",
        "XREADGROUP group a b COUNT 1 streams x y > >": "x y",
        "xgroup create q g $": "q",
        "DEL a b c": "a b c",
        "xlen q": "q",
    }.items(),
)
def test_keys_of_a_command(line: str, keys: str) -> None:
    """COMMAND GETKEYS finds the queues in any command that names some."""
    assert reply_to(split(f"COMMAND GETKEYS {line}")) == _array(keys.split())


def _array(words: list[str]) -> bytes:
    return encode(tuple(word.encode() for word in words), 2)


@pytest.mark.parametrize(
    ("line", "error"),
    {
        "nosuch a": "ERR Invalid command specified",
        "client nosuch": "ERR Invalid command specified",
        "client": "ERR Invalid number of arguments specified for command",
        "xadd": "ERR Invalid number of arguments specified for command",
        "ping": "ERR The command has no key arguments",
        "xreadgroup group g w count 1 nothing": "ERR The command has no key arguments",
    }.items(),
)
def test_commands_without_keys(line: str, error: str) -> None:
    """Where there are none, or no such command, COMMAND GETKEYS says so in Redis' words."""
    assert reply_to(split(f"COMMAND GETKEYS {line}")) == f"-{error}\r\n".encode()


def test_names_by_filter() -> None:
    """COMMAND LIST FILTERBY lets through a category, a pattern, or EZRA's own module."""
    streams = _tuple(_shown("COMMAND LIST FILTERBY ACLCAT stream"))
    assert {b"xadd", b"xgroup|create"} <= set(streams)
    assert b"ping" not in streams
    assert _shown("COMMAND LIST filterby pattern XREADG*") == (b"xreadgroup",)
    assert _shown("COMMAND LIST FILTERBY MODULE ezra") == (b"ezra.queue", b"ezra.backup")
    assert _shown("COMMAND LIST FILTERBY MODULE other") == ()
    assert _shown("COMMAND LIST FILTERBY ACLCAT nosuch") == ()
    for wrong in ("x", "FILTERBY", "FILTERBY FOO x", "FILTERBY PATTERN a b"):
        assert reply_to(split(f"COMMAND LIST {wrong}")) == b"-ERR syntax error\r\n"


def test_categories() -> None:
    """ACL CAT lists Redis' categories, or the commands of one of them."""
    assert _shown("ACL CAT") == tuple(category.encode() for category in CATEGORIES)
    assert _shown("ACL CAT stream") == _shown("COMMAND LIST FILTERBY ACLCAT stream")
    assert set(_tuple(_shown("ACL CAT TRANSACTION"))) == {
        *(b"multi", b"exec", b"discard", b"watch", b"unwatch")
    }
    assert reply_to(split("ACL CAT nosuch")) == b"-ERR Unknown category 'nosuch'\r\n"
    assert reply_to(split("ACL CAT a b")) == (
        b"-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.\r\n"
    )


HELPS = sorted(name for name in TABLE if name.endswith(" HELP"))


@pytest.mark.parametrize("name", HELPS)
def test_help_names_every_subcommand(name: str) -> None:
    """HELP of a container has all that the table has, each with what it takes."""
    container = name.split(maxsplit=1)[0]
    lines = [line.text for line in _tuple(_shown(name)) if isinstance(line, SimpleString)]
    shown = {line.split()[0] for line in lines[1:] if not line.startswith(" ")}
    known = {other.split()[1] for other in TABLE if other.startswith(container + " ")}
    assert shown == known

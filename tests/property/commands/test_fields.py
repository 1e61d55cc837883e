"""Laws of `ezra.sansio.commands.fields`."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.commands.fields import (
    DEDUP_OPTIONS,
    OPTIONS,
    claimed_fields,
    entry_fields,
    new_task,
)
from ezra.sansio.errors import CommandError
from ezra.sansio.model import SECOND, Claimed, Dedup, Entry, NewTask
from tests.property.commands.books import FOREIGN, TASK

NAMES = frozenset(option.name.encode() for option in (*OPTIONS, *DEDUP_OPTIONS))
HEADERS = st.lists(
    st.tuples(
        st.binary(max_size=8).filter(lambda name: name not in NAMES | {b"payload"}),
        st.binary(max_size=8),
    ).filter(lambda pair: not pair[0].startswith(b"ezra.")),
    max_size=6,
)
VALUES = {
    b"ttl": (b"1.5", 1_500_000),
    b"max_attempts": (b"7", 7),
    b"visibility_timeout": (b"0.000001", 1),
    b"priority": (b"-128", -128),
    b"delay": (b"0", 0),
}


def _flat(pairs: list[tuple[bytes, bytes]]) -> list[bytes]:
    return list(chain.from_iterable(pairs))


@given(HEADERS, st.binary(max_size=20), st.sets(st.sampled_from(sorted(VALUES))), st.data())
def test_options_are_taken_out_wherever_they_stand(
    headers: list[tuple[bytes, bytes]], payload: bytes, names: set[bytes], data: st.DataObject
) -> None:
    """Options and payload may stand anywhere, with the prefix or without; headers keep order."""
    fields = list(headers)
    given_fields = [(b"payload", payload)] + [
        (data.draw(st.sampled_from([b"", b"ezra."])) + name, VALUES[name][0]) for name in names
    ]
    for field in given_fields:
        fields.insert(data.draw(st.integers(0, len(fields))), field)
    options: dict[str, Any] = {name.decode(): VALUES[name][1] for name in names}
    assert new_task(_flat(fields), 9) == NewTask(payload, tuple(headers), 9, **options)


@given(HEADERS, st.sets(st.sampled_from(sorted(NAMES))), st.sets(st.sampled_from(sorted(VALUES))))
def test_without_payload_every_field_is_data(
    headers: list[tuple[bytes, bytes]], plain: set[bytes], prefixed: set[bytes]
) -> None:
    """In a framework's entry only `ezra.<name>` is an option; `ttl` is its own business."""
    data = headers + [(name, b"not a number") for name in sorted(plain)]
    fields = data + [(b"ezra." + name, VALUES[name][0]) for name in sorted(prefixed)]
    options: dict[str, Any] = {name.decode(): VALUES[name][1] for name in prefixed}
    assert new_task(_flat(fields), None) == NewTask(None, tuple(data), None, **options)


def test_run_at_is_a_moment() -> None:
    """`run_at` is Unix seconds, fractions allowed."""
    task = new_task([b"payload", b"", b"run_at", b"1700000000.25"], None)
    assert task.run_at == 1_700_000_000 * SECOND + 250_000
    assert task.delay is None


@pytest.mark.parametrize("prefix", [b"", b"ezra."])
def test_a_push_may_have_a_key(prefix: bytes) -> None:
    """`dedup_key` names the push, whoever the producer; `dedup_ttl` says for how long."""
    payload = [] if prefix else [b"payload", b""]
    task = new_task([*payload, prefix + b"dedup_key", b"\xff"], None)
    assert task.dedup == Dedup(b"", b"\xff", None, limited=False)
    fields = [*payload, prefix + b"dedup_ttl", b"1.5", prefix + b"dedup_key", b"k"]
    assert new_task(fields, None).dedup == Dedup(b"", b"k", 1_500_000)
    assert new_task(fields, None).headers == ()


def test_a_command_may_have_said_it() -> None:
    """What stands before the id holds; in a framework's entry `dedup_key` is its own business."""
    dedup = Dedup(b"p", b"i", limited=True)
    assert new_task([b"payload", b""], None, dedup) == NewTask(b"", dedup=dedup)
    task = new_task([b"dedup_key", b"k"], None, dedup)
    assert task == NewTask(None, ((b"dedup_key", b"k"),), dedup=dedup)


@pytest.mark.parametrize("option", sorted(NAMES))
def test_an_option_twice_is_an_error(option: bytes) -> None:
    """No option has two values, not even the same one, in either spelling."""
    value = VALUES.get(option, (b"1", 1))[0]
    for second in (option, b"ezra." + option):
        with pytest.raises(CommandError, match=f"ERR invalid {option.decode()}: given twice"):
            new_task([b"payload", b"x", option, value, second, value], None)


@given(HEADERS, st.none() | st.binary(max_size=8))
def test_what_was_pushed_comes_back(
    headers: list[tuple[bytes, bytes]], payload: bytes | None
) -> None:
    """A worker gets payload and headers in order; only a task's entry has its attempts added."""
    pushed = [] if payload is None else [b"payload", payload]
    pushed += _flat(headers)
    added = [] if payload is None else [b"attempts", b"1", b"max_attempts", b"3"]
    assert list(entry_fields(Entry(1, payload, tuple(headers)))) == pushed
    assert (
        list(claimed_fields(Claimed(1, payload, tuple(headers), 1, 3, claim=1))) == pushed + added
    )


def test_entries_look_alike_claimed_or_not() -> None:
    """Looking at a task shows the fields that claiming it gives, attempts apart."""
    assert claimed_fields(TASK)[:6] == entry_fields(TASK)
    assert claimed_fields(FOREIGN) == entry_fields(FOREIGN)

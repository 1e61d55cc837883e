"""Laws of the session under input that no honest client sends, and of what makes such input.

A short version of `make fuzz`: the same targets, tried on what hypothesis and the cook come up with
instead of what a fuzzer learns.
"""

from __future__ import annotations

import tracemalloc
from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ezra.sansio import transaction
from ezra.sansio.commands import ConnectionCommand
from ezra.sansio.commands.lookup import parse
from ezra.sansio.commands.table import TABLE
from ezra.sansio.connection import NEED_DATA, PAUSED, BadCommand, Closed, Connection, Event, Signal
from ezra.sansio.connection_state import State
from ezra.sansio.errors import CommandError, EngineClosed, RemoteProtocolError, Text
from ezra.sansio.resp.limits import Limits
from tests.fuzz import targets, words
from tests.fuzz.pure_server import LIMITS, PureServer
from tests.fuzz.soup import Cook
from tests.property.resp.cases import garbage
from tests.property.wire import request, session

law = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
chances = st.randoms(use_true_random=False)

NOT_DONE = EngineClosed(Text.SHUTTING_DOWN)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_every_seed_is_harmless(name: str) -> None:
    """What the fuzzer begins with has found nothing."""
    for seed in targets.seeds(name):
        targets.TARGETS[name](seed)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", sorted({*targets.TARGETS} - {"session"}))
@law
@given(data=garbage)
def test_any_bytes_are_harmless(name: str, data: bytes) -> None:
    """To the decoders, and to what reads lines and stored headers."""
    targets.TARGETS[name](data)


@pytest.mark.unmeasured
@law
@given(chances)
def test_any_sessions_are_harmless(chance: Random) -> None:
    """Two clients may send, end, break off and wait as they like: the books add up."""
    targets.session(targets.script(chance, Cook(chance)))


# One connection, whose driver takes its time


def _answer(connection: Connection, event: Event | RemoteProtocolError) -> None:
    """Answer one event; an engine that is not there answers nothing but that."""
    if isinstance(event, BadCommand):
        connection.send(event.error)
    elif isinstance(event, RemoteProtocolError):
        connection.send(event)
    elif isinstance(event, ConnectionCommand):
        connection.send(event.answer(connection._session))
    else:
        connection.send(NOT_DONE)


def _read(connection: Connection) -> Event | RemoteProtocolError:
    try:
        return connection.next_event()
    except RemoteProtocolError as error:
        return error


@pytest.mark.unmeasured
@law
@given(chances)
def test_whatever_comes_and_whenever_it_is_answered(chance: Random) -> None:
    """Events, NEED_DATA, PAUSED, the end, or one protocol error that is for ever; nothing else."""
    connection, cook = Connection(session(), LIMITS), Cook(chance)
    open_events: list[Event | RemoteProtocolError] = []
    for _ in range(chance.randint(1, 20)):
        match chance.randrange(8):
            case 0 | 1 | 2 if not connection._ended:
                connection.receive_data(cook.meal() or b"\r\n")
            case 3 if not connection._ended and not chance.randrange(4):
                connection.receive_data(b"")
            case 4 if open_events:
                _answer(connection, open_events.pop(0))
            case 5 if not chance.randrange(6):
                open_events.clear()
                connection.send_failed()
            case _:
                before = connection.state
                event = _read(connection)
                if isinstance(event, RemoteProtocolError):
                    assert connection.state is State.ERROR
                    open_events += [event] if before is not State.ERROR else []
                elif event not in (NEED_DATA, PAUSED) and not isinstance(event, Closed):
                    open_events.append(event)
        assert len(connection._unanswered) == len(open_events)


# Memory

PING = request(b"PING")
ENDLESS = {
    "transactions without an end": (
        request(b"MULTI"),
        request(b"XADD", b"q", b"*", b"payload", b"x" * 100),
    ),
    "transactions of empty words": (request(b"MULTI"), request(b"XADD", b"q", b"*", b"", b"")),
    "MULTI upon MULTI": (PING, request(b"MULTI")),
    "names": (PING, request(b"CLIENT", b"SETNAME", b"n" * 500)),
    "unknown commands": (PING, request(b"NOSUCH", b"x" * 400)),
    "replies that are not wanted": (request(b"CLIENT", b"REPLY", b"OFF"), PING),
    "behind QUIT": (request(b"QUIT"), PING),
    "tracking": (PING, request(*b"CLIENT TRACKING ON BCAST PREFIX".split(), b"p" * 400)),
}
SENT = 48 * 1024
CHUNK = 4 * 1024
BOUND = 40 * 1024
NEAR = Limits(max_bulk=8 * 1024, max_rest=8 * 1024, max_line=2 * 1024, max_words=250)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ENDLESS)
def test_memory_is_bounded_whatever_a_client_asks_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it goes on, a connection holds one request, a transaction, and what it is told.

    The other side of `test_limits`, which knows only the decoder.
    """
    monkeypatch.setattr(transaction, "MAX_BYTES", 8 * 1024)
    head, piece = ENDLESS[name]
    chunk = piece * (CHUNK // len(piece))
    connection = Connection(session(), NEAR)
    connection.receive_data(head)
    tracemalloc.start()
    try:
        for _ in range(SENT // CHUNK):
            connection.receive_data(chunk)
            _answer_all(connection)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < BOUND


def _answer_all(connection: Connection) -> None:
    """Answer as a driver does: everything that has arrived, then what was held back."""
    event: Event | RemoteProtocolError = PAUSED
    while event is PAUSED:
        events = []
        while not isinstance(event := _read(connection), Signal | Closed):
            events.append(event)
        for each in events:
            _answer(connection, each)


# What makes the input


@pytest.mark.unmeasured
def test_the_soup_is_made_of_every_command() -> None:
    """Most requests are well formed, some are not, and no command is left out."""
    chance = Random(7)
    cook = Cook(chance)
    names, refused = Counter[str](), 0
    while names.total() < 2_000 or (set(names) != set(TABLE) and names.total() < 50_000):
        try:
            names[parse(cook.request()).SPEC.name] += 1
        except CommandError:
            refused += 1
    assert set(names) == set(TABLE)
    assert 0.1 < refused / names.total() < 1


def test_the_soup_of_a_harmless_cook_disturbs_nobody_by_right() -> None:
    """It has no CLIENT KILL in it, which one may send."""
    cook = Cook(Random(7), harmless=True)
    requests = [cook.request()[:2] for _ in range(4_000)]
    assert [b"CLIENT", b"LIST"] in requests
    assert [b"CLIENT", b"KILL"] not in requests


def test_the_dictionary_is_made_of_the_table() -> None:
    """Each of its lines is one token as libFuzzer wants it, and every command is in it."""
    lines = words.dictionary().splitlines()
    tokens = {bytes.fromhex(line.strip('"').replace("\\x", "")) for line in lines}
    assert {word.encode() for name in TABLE for word in name.split()} <= tokens
    assert {b"STREAMS", b"payload", b"ezra.dedup_key", b"$4\r\nXADD\r\n", b"*2\r\n"} <= tokens


def test_a_pure_server_is_a_server() -> None:
    """What the sessions are tried on pushes, wakes who waits, and takes back what nobody got."""
    server = PureServer()
    worker, producer = server.client(), server.client()
    claim = request(*b"XREADGROUP GROUP g w BLOCK 0 STREAMS q >".split())
    worker.send(claim)
    assert worker.ticket is not None
    producer.send(request(*b"XADD q * payload x".split()))
    assert b"payload\r\n$1\r\nx\r\n" in worker.replies
    worker.send(claim)
    worker.vanish()
    producer.send(request(*b"XADD q * payload y".split()))
    assert worker.over
    producer.replies.clear()
    producer.send(request(*b"XLEN q".split()))
    assert producer.replies == b":1\r\n"

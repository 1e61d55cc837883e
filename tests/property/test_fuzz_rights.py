"""No soup of commands gets anybody more than his role may do, whatever stands around it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.access import Role
from ezra.sansio.commands import Command, ConnectionCommand, Exec, Multi
from ezra.sansio.connection import BadCommand, Closed, Connection, Signal
from ezra.sansio.errors import EngineClosed, RemoteProtocolError, Text
from ezra.sansio.rights import may
from tests.fuzz.pure_server import LIMITS
from tests.fuzz.soup import Cook
from tests.property.test_fuzz import law
from tests.property.wire import PASSWORDS, request, session

SECRETS = {Role.DEFAULT: b"main", Role.PUSH: b"pushes", Role.WORK: b"works"}
NOT_DONE = EngineClosed(Text.SHUTTING_DOWN)


def _logins(role: Role) -> list[bytes]:
    """Return ways to get a role, and ways to lose it, as a client sends them."""
    user, secret = role.value.encode(), SECRETS.get(role, b"guess")
    return [
        request(b"AUTH", secret),
        request(b"AUTH", user, secret),
        request(b"AUTH", b"default", secret),
        request(b"HELLO", b"3", b"AUTH", user, secret),
        request(b"HELLO", b"2"),
        request(b"RESET"),
        request(b"MULTI"),
        request(b"EXEC"),
        request(b"DISCARD"),
    ]


def _admitted(connection: Connection, data: bytes) -> Iterator[tuple[Role, Command[Any]]]:
    """Send the bytes; yield what is let through, each with the role that its client had then."""
    own = connection._session
    connection.receive_data(data)
    while True:
        batch: list[Command[Any] | BadCommand] = []
        try:
            while not isinstance(event := connection.next_event(), Signal | Closed):
                batch.append(event)
                if isinstance(event, Command):
                    yield own.role, event
        except RemoteProtocolError:
            return
        for each in batch:
            if isinstance(each, BadCommand):
                connection.send(each.error)
            elif isinstance(each, ConnectionCommand):
                connection.send(each.answer(own))
            else:
                connection.send(NOT_DONE)
        if event is not Signal.PAUSED or connection.closing:
            return


@pytest.mark.parametrize("roles", [(), (Role.PUSH,), (Role.WORK,), (Role.PUSH, Role.WORK)], ids=str)
@law
@given(chance=st.randoms(use_true_random=False))
def test_nobody_does_more_than_he_may(roles: tuple[Role, ...], chance: Random) -> None:
    """A client that knows some of the passwords and sends whatever it likes, MULTI and RESET too.

    What EXEC brings was let through for a role that the client had since MULTI.
    """
    connection, cook = Connection(session(access=PASSWORDS), LIMITS), Cook(chance)
    logins = [line for role in (*roles, Role.NOBODY) for line in _logins(role)]
    had = {Role.NOBODY}
    for _ in range(chance.randint(1, 12)):
        data = chance.choice(logins) + (cook.course() if chance.randrange(2) else b"")
        for role, command in _admitted(connection, data):
            assert role in (*roles, Role.NOBODY)
            assert may(role, command.SPEC.name)
            had = {role} if isinstance(command, Multi) else had | {role}
            for inside in command.commands if isinstance(command, Exec) else ():
                assert any(may(each, inside.SPEC.name) for each in had)
        if connection.closing:
            return


def test_whoever_knows_the_first_password_may_do_everything() -> None:
    """Which shows that the law above lets commands through at all."""
    connection = Connection(session(access=PASSWORDS), LIMITS)
    data = request(b"AUTH", b"main") + request(b"DBSIZE")
    names = [command.SPEC.name for _, command in _admitted(connection, data)]
    assert names == ["AUTH", "DBSIZE"]

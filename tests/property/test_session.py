"""Laws of `ezra.sansio.session`."""

from __future__ import annotations

import pytest

from ezra.sansio.access import Role
from ezra.sansio.session import ServerIdentity
from tests.property.wire import PASSWORDS, session


@pytest.mark.parametrize(
    ("version", "number"),
    [("0.1.0", 100), ("1.2.3", 10_203), ("2.0", 20_000), ("1.2.3.dev4", 10_203), ("", 0)],
)
def test_the_version_of_the_module(version: str, number: int) -> None:
    """EZRA's version is numbered as Redis numbers those of modules."""
    assert ServerIdentity(version).module_version == number


def test_a_session_begins_as_nobody_where_a_password_is_needed() -> None:
    """And RESET makes it so again; without a password everybody is the default user."""
    own = session(access=PASSWORDS)
    assert (own.role, own.authenticated) == (Role.NOBODY, False)
    assert own.log_in(b"push", b"pushes")
    assert (own.role, own.authenticated) == (Role.PUSH, True)
    own.reset()
    assert (own.role, own.authenticated) == (Role.NOBODY, False)
    free = session()
    free.reset()
    assert (free.role, free.authenticated) == (Role.DEFAULT, True)


def test_a_wrong_password_is_counted_and_changes_nothing() -> None:
    """Who is logged in stays it, as in Redis; the driver learns how often it went wrong."""
    own = session(access=PASSWORDS)
    assert own.log_in(None, b"works")
    for count in (1, 2):
        assert not own.log_in(b"default", b"wrong")
        assert (own.role, own.failed_logins) == (Role.WORK, count)
    own.reset()
    assert own.failed_logins == 2

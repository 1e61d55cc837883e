"""Laws of `ezra.sansio.access`: which words make which role, and nothing that shows a password."""

from __future__ import annotations

import hmac
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezra.sansio.access import Access, Role
from ezra.sansio.session import ServerIdentity, Session
from tests.property.wire import PASSWORDS

WORDS = {b"main": Role.DEFAULT, b"pushes": Role.PUSH, b"works": Role.WORK}
USERS: dict[bytes | None, set[Role]] = {
    None: set(WORDS.values()),
    b"default": set(WORDS.values()),
    b"push": {Role.PUSH},
    b"work": {Role.WORK},
    b"PUSH": set(),
    b"(none)": set(),
    b"nobody": set(),
    b"": set(),
}
WRONG = (b"", b"MAIN", b"main ", b"main\0", b"\xff", b"x" * 16_384)


@pytest.mark.parametrize(("user", "password"), list(product(USERS, [*WORDS, *WRONG])))
def test_every_user_with_every_password(user: bytes | None, password: bytes) -> None:
    """A password is good for its own user, and for who names none or the default one."""
    role = WORDS.get(password)
    assert PASSWORDS.role_of(user, password) is (role if role in USERS[user] else None)


@pytest.mark.parametrize("user", [user for user in USERS if user is not None])
@pytest.mark.parametrize("password", [*WORDS, *WRONG])
def test_without_passwords_the_default_user_may_say_any(user: bytes, password: bytes) -> None:
    """And there is nobody else."""
    expected = Role.DEFAULT if user == b"default" else None
    assert Access.OPEN.role_of(user, password) is expected
    assert Access.of("main").role_of(b"push", b"main") is None


@given(st.text(st.characters(), min_size=1), st.binary())
def test_no_other_bytes_are_a_password(password: str, tried: bytes) -> None:
    """Whatever it is made of, surrogate escapes of a variable's bytes included."""
    if any("\ud800" <= letter <= "\udfff" for letter in password):
        return
    known = Access.of(password)
    assert known.role_of(None, password.encode()) is Role.DEFAULT
    assert known.role_of(None, tried) is (Role.DEFAULT if tried == password.encode() else None)


def test_a_password_of_bytes_that_are_no_text() -> None:
    """A variable's or a file's bytes, as Python reads them, are the bytes a client sends."""
    word = b"\xff\xfe"
    assert Access.of(word.decode(errors="surrogateescape")).role_of(None, word) is Role.DEFAULT


@pytest.mark.parametrize("tried", [*WORDS, *WRONG])
@pytest.mark.parametrize("user", [None, b"push", b"nobody"])
def test_what_is_tried_is_compared_with_all(
    user: bytes | None, tried: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No early exit, and each comparison in the same time: how long it takes tells nothing."""
    compared: list[bytes] = []
    real = hmac.compare_digest

    def compare(tried: bytes, known: bytes) -> bool:
        compared.append(known)
        return real(tried, known)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    PASSWORDS.role_of(user, tried)
    assert compared == [digest for _, digest in PASSWORDS.digests]


def test_only_digests_are_kept_and_none_is_printed() -> None:
    """Nothing that is printed by mistake shows a password, nor what one could be guessed from."""
    session = Session(1, ServerIdentity("1"), access=PASSWORDS)
    for _, digest in PASSWORDS.digests:
        assert len(digest) == 32
        for shown in (repr(PASSWORDS), repr(session)):
            assert repr(digest)[2:-1] not in shown
            assert digest.hex() not in shown
    everything = repr(PASSWORDS.digests) + repr(session)
    assert not any(word.decode() in everything for word in WORDS)


@pytest.mark.parametrize(
    ("passwords", "text"),
    {
        ("", None, None): "password must not be empty: leave it out, or choose one",
        ("a", "", None): "push_password must not be empty: leave it out, or choose one",
        ("a", None, ""): "work_password must not be empty: leave it out, or choose one",
        ("x" * 16_385, None, None): "password must be at most 16384 bytes",
        (None, "secret", None): "push_password needs password beside it: without that one "
        "everybody may do everything",
        (None, None, "secret"): "work_password needs password beside it: without that one "
        "everybody may do everything",
        ("secret", "secret", None): "push_password must not be the same as password: choose "
        "another, or nobody could tell who is who",
        ("secret", None, "secret"): "work_password must not be the same as password: choose "
        "another, or nobody could tell who is who",
        ("a", "secret", "secret"): "work_password must not be the same as push_password: choose "
        "another, or nobody could tell who is who",
    }.items(),
)
def test_passwords_that_protect_nothing_are_refused(
    passwords: tuple[str | None, str | None, str | None], text: str
) -> None:
    """With words that say what to do, and do not say the password."""
    with pytest.raises(ValueError, match="^" + text + "$"):
        Access.of(*passwords)


def test_who_can_log_in() -> None:
    """Everybody who has a password; the default user where none is needed."""
    assert Access.OPEN.roles == Access.of("a").roles == (Role.DEFAULT,)
    assert PASSWORDS.roles == (Role.DEFAULT, Role.PUSH, Role.WORK)
    assert (Access.OPEN.needed, Access.of().needed, PASSWORDS.needed) == (False, False, True)

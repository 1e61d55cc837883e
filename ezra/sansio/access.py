"""Who may do what: passwords in, roles out.

A server without passwords lets everybody do everything. One with a password knows a client by what
it sends with AUTH or HELLO, and as nobody until then. Two further passwords open a part of it only:
who pushes need not be able to read, and who works need not be able to push. What each role may do
is the table in `ezra.sansio.rights`.

Strategy: of a password only its SHA-256 digest is kept, so nothing that is printed by mistake can
show it. Whatever is tried is compared with every digest, each in the same time, so how long an
answer takes tells nothing either.
"""

from __future__ import annotations

import enum
import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar

from ezra.sansio.resp.limits import STRANGERS_MAX_BULK

MAX_PASSWORD = STRANGERS_MAX_BULK
"""Bytes of a password: no client could send a longer one."""


class Role(enum.Enum):
    """What a client may do. The value is the name of its user, as CLIENT LIST shows it."""

    NOBODY = "(none)"
    """It has yet to say a password."""
    DEFAULT = "default"
    """Everything."""
    PUSH = "push"
    """Push, and nothing that reads, takes or removes a task."""
    WORK = "work"
    """Claim, ack, nack and look; neither push nor delete."""


USERS = {role.value.encode(): role for role in Role if role is not Role.NOBODY}
"""Who a client can say it is. `default` is also who says nothing but a password."""


@dataclass(frozen=True, slots=True)
class Access:
    """Which passwords there are. Made by `of`; `Access.OPEN` is the one without any."""

    digests: tuple[tuple[Role, bytes], ...] = field(default=(), repr=False)
    """Each role that has a password, with the SHA-256 of that."""

    OPEN: ClassVar[Access]
    """Nobody needs a password."""

    @classmethod
    def of(
        cls,
        password: str | None = None,
        push_password: str | None = None,
        work_password: str | None = None,
    ) -> Access:
        """Return who gets in by these passwords: everybody where all of them are None.

        Raises:
            ValueError: they make no sense together. The text says what to do, and no password.
        """
        given = {Role.DEFAULT: password, Role.PUSH: push_password, Role.WORK: work_password}
        found: dict[bytes, Role] = {}
        for role, secret in given.items():
            if secret is None:
                continue
            _check(role, secret, is_first=not found)
            other = found.setdefault(digest_of(to_bytes(secret)), role)
            if other is not role:
                raise ValueError(
                    f"{name_of(role)} must not be the same as {name_of(other)}: "
                    "choose another, or nobody could tell who is who"
                )
        return cls(tuple((role, digest) for digest, role in found.items()))

    @property
    def needed(self) -> bool:
        """Whether a client has to say a password before anything else."""
        return bool(self.digests)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who can log in, the default user first; where nobody needs to, that one is everybody."""
        return tuple(role for role, _ in self.digests) or (Role.DEFAULT,)

    def role_of(self, user: bytes | None, password: bytes) -> Role | None:
        """Return what a client may do that says this; None where it is wrong.

        Args:
            user: `default`, `push` or `work`; None, like `default`, stands for any of them, so that
                a client which can be told a password alone gets in with each.
            password: as it came. Where nobody needs one, the default user's may be anything.
        """
        digest = digest_of(password)
        anybody = user is None or USERS.get(user) is Role.DEFAULT
        role = Role.DEFAULT if anybody and not self.needed else None
        for candidate, known in self.digests:  # all of them, whichever fits
            same = hmac.compare_digest(digest, known)
            if same and (anybody or USERS.get(user or b"") is candidate):
                role = candidate
        return role


Access.OPEN = Access()


def name_of(role: Role) -> str:
    """Return what the setting with the role's password is called."""
    return "password" if role is Role.DEFAULT else f"{role.value}_password"


def to_bytes(password: str) -> bytes:
    """Return a password as a client sends it; bytes that are no UTF-8 stay what they were."""
    return password.encode(errors="surrogateescape")


def digest_of(password: bytes) -> bytes:
    """Return what is kept of a password."""
    return sha256(password).digest()


def _check(role: Role, password: str, *, is_first: bool) -> None:
    """Raise ValueError for a password that protects nothing."""
    if not password:
        raise ValueError(f"{name_of(role)} must not be empty: leave it out, or choose one")
    if len(to_bytes(password)) > MAX_PASSWORD:
        raise ValueError(f"{name_of(role)} must be at most {MAX_PASSWORD} bytes")
    if is_first and role is not Role.DEFAULT:
        raise ValueError(
            f"{name_of(role)} needs password beside it: without that one everybody may do "
            "everything"
        )

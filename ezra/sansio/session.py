"""What is known of one client's connection, apart from the bytes on their way.

A `Session` is the only mutable thing that commands see: `ConnectionCommand.answer` reads and
changes it, the connection reads from it how to reply, and CLIENT LIST shows it. Its own driver's
thread writes it; others may read it at any moment.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import Literal

from ezra.sansio.access import Access, Role

REDIS_VERSION = "8.2.0"
"""The Redis whose reply shapes EZRA keeps to. Clients choose their commands by it: told EZRA's own
version, coredis and KEDA would think the server too old."""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Who answers."""

    version: str
    """EZRA's own version, for example `0.1.0`."""
    redis_version: str = REDIS_VERSION
    """The version of Redis that clients are told."""

    @property
    def module_version(self) -> int:
        """EZRA's version as Redis numbers its modules' versions: 10203 for `1.2.3`."""
        digits = [int(part) for part in re.findall(r"[0-9]+", self.version)[:3]]
        major, minor, patch = (*digits, 0, 0, 0)[:3]
        return major * 10_000 + minor * 100 + patch


STRICT_LIBRARIES = ("go-redis",)
"""Names of libraries that take a whole reply for an error if it has a field that Redis' does not
have. They say who they are when they connect (CLIENT SETINFO LIB-NAME)."""


class Replies(enum.Enum):
    """Which replies a client wants to hear, in the words of CLIENT REPLY."""

    ON = "on"
    """All of them."""
    OFF = "off"
    """None."""
    SKIP = "skip"
    """Not the next one, then all again."""


@dataclass(frozen=True, slots=True)
class Tracking:
    """What a client asked for with CLIENT TRACKING ON; kept so that it is told the same again."""

    broadcast: bool = False
    opt_in: bool = False
    opt_out: bool = False
    no_loop: bool = False
    redirect: int = 0
    """The client that is to be told instead; 0 for none."""
    prefixes: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Session:
    """One client's connection."""

    id: int
    """Unique in the life of the server, counted up from 1."""
    identity: ServerIdentity
    protocol: Literal[2, 3] = 2
    """The RESP version of its replies; HELLO changes it as its own reply is sent."""
    name: str = ""
    """What the client calls itself; empty when it has not said."""
    access: Access = Access.OPEN
    """Which passwords the server has."""
    role: Role = field(init=False)
    """What the client may do; AUTH and HELLO change it as they are answered."""
    failed_logins: int = 0
    """How often it said a wrong password. The driver lets it wait after each."""
    lib_name: str = ""
    lib_ver: str = ""
    replies: Replies = Replies.ON
    """CLIENT REPLY changes it as its own reply is made."""
    tracking: Tracking | None = None
    no_evict: bool = False
    no_touch: bool = False
    queued: int | None = None
    """Between MULTI and EXEC: how many commands are kept."""
    command: str = ""
    """The last command that was read, as the table names it: `XADD`, `CLIENT LIST`."""

    # What the driver notes; a session without a socket leaves it as it is.
    address: str = ""
    """The client's address and port."""
    local_address: str = ""
    """The address and port that it connected to."""
    descriptor: int = -1
    """The number of its socket."""
    connected_at: int = 0
    """Unix microseconds, as all times."""
    stranger_since: int = 0
    """When it became nobody again, by RESET; 0 if it never did."""
    active_at: int = 0
    """When it last sent something."""
    blocked: bool = False
    """Whether it waits for a task."""

    def __post_init__(self) -> None:
        """A client is nobody until it has said a password, where one is needed."""
        self.role = Role.NOBODY if self.access.needed else Role.DEFAULT

    @property
    def authenticated(self) -> bool:
        """Whether the client has said a password, or needs none."""
        return self.role is not Role.NOBODY

    def log_in(self, user: bytes | None, password: bytes) -> bool:
        """Take the role that user and password stand for; return whether they were right.

        Wrong ones are counted, and change nothing else: who was logged in stays it.
        """
        role = self.access.role_of(user, password)
        if role is None:
            self.failed_logins += 1
            return False
        self.role = role
        return True

    @property
    def strict(self) -> bool:
        """Whether its library wants Redis' fields and no others."""
        return self.lib_name.startswith(STRICT_LIBRARIES)

    def reset(self) -> None:
        """Forget all that the client has said about itself, as RESET wants it."""
        if self.authenticated:
            self.stranger_since = self.active_at
        self.role = Role.NOBODY if self.access.needed else Role.DEFAULT
        self.protocol = 2
        self.name = ""
        self.replies = Replies.ON
        self.tracking = None
        self.no_evict = self.no_touch = False

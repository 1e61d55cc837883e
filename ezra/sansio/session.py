"""What is known of one client's connection, apart from the bytes on their way.

A `Session` is the only mutable thing that commands see: `ConnectionCommand.answer` reads and
changes it, the connection reads the protocol version from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

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
    lib_name: str = ""
    lib_ver: str = ""

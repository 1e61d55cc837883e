"""Who may do what: passwords in, roles out.

A server without passwords lets everybody do everything. One with a password knows a client by what
it sends with AUTH or HELLO, and as nobody until then. Two further passwords open a part of it only:
who pushes need not be able to read, and who works need not be able to push.
"""

from __future__ import annotations

import enum


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

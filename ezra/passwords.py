"""Passwords as a person gives them: a text, or a file that holds nothing else.

A file is the better way: what stands on a command line is shown to everybody on the machine by
`ps`, and a variable to whoever may look at the process. It may be a pipe, so `<(pass show ezra)`
works. No error tells what was read, nor the file's name: somebody will give the password for that.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from ezra.sansio.access import MAX_PASSWORD, to_bytes
from ezra.sansio.resp.scalars import to_text

log = logging.getLogger(__name__)

OTHERS = stat.S_IRGRP | stat.S_IROTH
"""Permissions by which a file can be read by others than its owner."""


def password(text: str) -> str:
    """Read a password that was given as it is. Raises ValueError, which does not show it."""
    if not text:
        raise ValueError("must not be empty")
    if any(end in text for end in "\r\n\0"):
        raise ValueError("must be one line")
    if len(to_bytes(text)) > MAX_PASSWORD:
        raise ValueError(f"must be at most {MAX_PASSWORD} bytes")
    return text


def is_shared(file: int | Path) -> bool:
    """Tell whether others than its owner may read a file. Raises OSError where it has gone."""
    return bool(os.stat(file).st_mode & OTHERS)


def password_file(path: str) -> str:
    """Read the password that a file holds: one line, whose end does not belong to it.

    A file that others than its owner may read is only warned of. Containers' secrets are mounted
    like that, where nobody else is.

    Raises:
        ValueError: the file cannot be read, or holds something else.
    """
    try:
        with open(path, "rb") as file:
            shared = is_shared(file.fileno())
            content = file.read(MAX_PASSWORD + 3)  # a line end, and a byte too many
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name has a NUL byte"
        raise ValueError(f"must name a file that can be read: {reason}") from None
    line = content.removesuffix(b"\n").removesuffix(b"\r")
    try:
        secret = password(to_text(line))
    except ValueError as error:
        raise ValueError(f"must name a file that holds a password, which {error}") from None
    if shared:
        log.warning("a password file can be read by others than its owner: chmod 600 it")
    return secret

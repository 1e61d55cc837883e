"""EZRA, a durable task queue: one process, one SQLite file, any Redis client.

    from ezra import Ezra

    with Ezra("data") as ezra:
        ezra.push("emails", b"hello")

The names below are all that is public. They are loaded when they are first used, so that a program
that embeds the pure core (`import ezra.sansio`) gets nothing else with it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ezra import version

if TYPE_CHECKING:
    from ezra.embedded import Ezra, Task, serve
    from ezra.sansio.errors import EzraError
    from ezra.sansio.model import QueueInfo

__version__ = version.VERSION
__all__ = ["Ezra", "EzraError", "QueueInfo", "Task", "__version__", "serve"]

_HOMES = {
    "Ezra": "ezra.embedded",
    "EzraError": "ezra.sansio.errors",
    "QueueInfo": "ezra.sansio.model",
    "Task": "ezra.embedded",
    "serve": "ezra.embedded",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module, the first time that it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value

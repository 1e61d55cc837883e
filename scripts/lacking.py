"""What the tests cannot have on a CPython 3.13 without the GIL, as a plugin of pytest.

Importing one of these libraries there skips the module, or the test, that does so, with its reason.
Nor can memory be held to its limits there, for every thread has an allocator of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

LACKING: Mapping[str, str] = {
    "cryptography": "has no build for CPython 3.13 without the GIL",
    "trustme": "needs cryptography",
}
"""By name, of the requirement and of what is imported alike: why not."""


class Lacking(MetaPathFinder):
    """Finds these libraries before anybody else, to say that they are not there."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the import system's
        target: ModuleType | None = None,  # noqa: ARG002 - the import system's
    ) -> None:
        """Skip whoever imports one of them."""
        why = LACKING.get(fullname)
        if why is not None:
            import pytest  # noqa: PLC0415 - this file is read for its table where there is none

            pytest.skip(f"{fullname} {why}", allow_module_level=True)


def pytest_configure() -> None:
    """Look first wherever pytest imports anything."""
    sys.meta_path.insert(0, Lacking())


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Skip the tests that measure memory."""
    import pytest  # noqa: PLC0415 - as above

    skip = pytest.mark.skip(reason="without the GIL each thread has an allocator of its own")
    for item in items:
        if item.get_closest_marker("memory"):
            item.add_marker(skip)

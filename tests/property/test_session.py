"""Laws of `ezra.sansio.session`."""

from __future__ import annotations

import pytest

from ezra.sansio.session import ServerIdentity


@pytest.mark.parametrize(
    ("version", "number"),
    [("0.1.0", 100), ("1.2.3", 10_203), ("2.0", 20_000), ("1.2.3.dev4", 10_203), ("", 0)],
)
def test_the_version_of_the_module(version: str, number: int) -> None:
    """EZRA's version is numbered as Redis numbers those of modules."""
    assert ServerIdentity(version).module_version == number

"""A full disk refuses pushes and loses nothing; when there is space again, everything goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import full_disk
from tests.integration.test_file_systems import needs


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=needs(kind)) for kind in full_disk.SIZES]
)
def test_somebody_else_fills_the_disk(tmp_path: Path, kind: str) -> None:
    """To the last block, three times; the same server goes on whenever there is room again."""
    books = full_disk.fill_from_outside(tmp_path, kind)
    assert books.refused


@needs("tmpfs")
def test_the_queue_fills_the_disk(tmp_path: Path) -> None:
    """To the last block, with no space kept free."""
    books = full_disk.fill_by_itself(tmp_path)
    assert len(books.refused) == 3


@needs("tmpfs")
def test_what_is_kept_free_is_enough_for_claims_and_acks(tmp_path: Path) -> None:
    """Pushes are refused at the watermark, and everything that waits can be worked off."""
    books = full_disk.fill_to_watermark(tmp_path)
    assert len(books.acked) > 100

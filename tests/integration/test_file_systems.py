"""The power goes on the kernel's own file systems, under load, and nothing is lost.

What the model in `test_power_loss` assumes of a disk is asked of a real ext4 and a real XFS here.
It needs root and loop devices.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import file_systems

CYCLES = 2


def needs(kind: str) -> pytest.MarkDecorator:
    """Skip, and say why, where such a file system cannot be mounted."""
    reason = file_systems.missing(kind)
    return pytest.mark.skipif(bool(reason), reason=reason)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=needs(kind)) for kind in ("ext4", "xfs")]
)
def test_what_was_answered_survives_a_power_loss(tmp_path: Path, kind: str) -> None:
    """Again and again, in the middle of a load, in the same directory."""
    losses = file_systems.power_losses(file_systems.Image(tmp_path, kind), CYCLES)
    assert losses.operations >= CYCLES * file_systems.UNDER_LOAD


@needs("ext4")
def test_without_an_fsync_for_each_commit_commits_are_lost(tmp_path: Path) -> None:
    """The control: `synchronous` NORMAL loses what it has answered, and the file stays sound."""
    assert file_systems.losses_without_sync(file_systems.Image(tmp_path, "ext4"), 2).losing

"""The power goes at any moment of a server's life: nothing that it has answered is lost.

Here the disk is a model that keeps no more than what it has promised; `test_file_systems` does the
same on the kernel's own file systems.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import power_loss
from tests.faults.strace import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.mark.unmeasured
def test_no_power_loss_loses_what_was_answered(tmp_path: Path) -> None:
    """EZRA starts on whatever the disk may be left with, and accounts for everything."""
    recorded = power_loss.record(tmp_path)
    names = {(call.name, Path(call.target).name) for call in recorded.calls}
    assert ("fdatasync", "ezra.db") in names, "there was no checkpoint"
    assert len(recorded.exchanges) > 100
    power_loss.check_full(power_loss.survey(recorded, seed=1, states=150))


def test_without_an_fsync_for_each_commit_commits_are_lost(tmp_path: Path) -> None:
    """The control: `synchronous` NORMAL loses answered pushes, and nothing worse happens."""
    recorded = power_loss.record_normal(tmp_path)
    power_loss.check_normal(power_loss.survey(recorded, seed=1, states=25))


def test_without_any_fsync_the_database_breaks(tmp_path: Path) -> None:
    """The control: with OFF, which EZRA does not offer, the model breaks the file itself."""
    recorded = power_loss.record_off(tmp_path)
    power_loss.check_off(power_loss.survey(recorded, seed=1, states=25))

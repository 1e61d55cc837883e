"""`make soak`: whatever the campaigns come to, the table and the exit code say so."""

from __future__ import annotations

import pytest

from tests.faults import __main__ as soak
from tests.faults.tally import Tally


def fine(_: float) -> Tally:
    """Survive two faults."""
    return Tally(faults=2, operations=30, bad_inputs=4, note="seen")


def losing(_: float) -> Tally:
    """Lose a task."""
    return Tally(faults=1, lost=1)


def failing(_: float) -> Tally:
    """Find a violation."""
    error = AssertionError("with two workers within a lease")
    error.add_note("seed 42")
    raise error


def interrupted(_: float) -> Tally:
    """Be ended by Ctrl-C."""
    raise KeyboardInterrupt


def run(monkeypatch: pytest.MonkeyPatch, **campaigns: soak.Campaign) -> int:
    """Run these campaigns in place of the real ones."""
    monkeypatch.setattr(soak, "CAMPAIGNS", campaigns)
    return soak.main(["--seconds", "1"])


def test_the_table_adds_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each campaign, their sum, and what was lost: nothing."""
    assert run(monkeypatch, one=fine, other=fine) == 0
    head, one, other, total, lost = capsys.readouterr().out.splitlines()
    assert head.split() == ["campaign", "faults", "operations", "bad", "inputs", "lost"]
    assert one.split()[:6] == ["one", "2", "30", "4", "0", "seen"]
    assert other.split()[:6] == ["other", "2", "30", "4", "0", "seen"]
    assert total.split() == ["total", "4", "60", "8", "0"]
    assert lost == "lost: 0"


def test_what_is_lost_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code says so, too."""
    assert run(monkeypatch, one=fine, other=losing) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "lost: 1"


def test_a_failure_tells_its_reason_and_seed_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever reads it must be able to begin there."""
    assert run(monkeypatch, bad=failing, good=fine) == 1
    shown = capsys.readouterr()
    assert "with two workers within a lease\nseed 42" in shown.err
    assert "failed: bad: with two workers within a lease" in shown.out
    assert "good " in shown.out


def test_ctrl_c_ends_it_and_shows_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was done before counts; what would follow does not begin."""
    assert run(monkeypatch, one=fine, two=interrupted, three=failing) == 130
    shown = capsys.readouterr().out.splitlines()
    assert shown[2] == "interrupted"
    assert shown[3].split() == ["total", "2", "30", "4", "0"]


def test_every_campaign_is_listed_and_an_unknown_one_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is run."""
    assert soak.main(["--list"]) == 0
    assert capsys.readouterr().out.splitlines() == list(soak.CAMPAIGNS)
    with pytest.raises(SystemExit) as ended:
        soak.main(["--only", "no such campaign"])
    assert ended.value.code == 2

"""Laws of `ezra.threaded.failpoints`: what can be asked for, and when it happens."""

from __future__ import annotations

import runpy
import sqlite3
import time
from collections.abc import Iterator

import pytest

from ezra.sansio.model import Address, Claimed, Delivery, Entry, Taken
from ezra.threaded import failpoints

TASK = Claimed(1, b"p", (), 1, 3, claim=1)


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """Leave none armed behind."""
    yield
    failpoints.arm({})


def test_nothing_is_armed_by_itself() -> None:
    """Passing a point does nothing."""
    assert failpoints.read("") == {}
    for point in failpoints.POINTS:
        failpoints.passing(point)


def test_a_process_begins_with_none() -> None:
    """Also one that never arms any, as a program in which EZRA is embedded."""
    assert runpy.run_path(failpoints.__file__, run_name=failpoints.__name__)["_armed"] == {}


@pytest.mark.parametrize(
    "text",
    [
        "after_commit",
        "after_commit=",
        "nowhere=exit",
        "after_commit=explode",
        "after_commit=exit@0",
        "after_commit=exit@",
        "after_commit=exit@1_0",
        "after_commit=delay",
        "after_commit=delay:-1",
        "after_commit=delay:soon",
        "before_commit=exit;after_commit",
        "after_commit=exit,before_commit=exit",
        ";",
        " ",
        "after_commit=exit;",
    ],
)
def test_what_is_malformed_is_refused_by_name(text: str) -> None:
    """The variable, and the part that is wrong."""
    wrong = text.rsplit(";", maxsplit=1)[-1]
    with pytest.raises(ValueError, match="EZRA_FAILPOINTS: must be points as in") as caught:
        failpoints.read(text)
    assert str(caught.value).endswith(f"not {wrong.strip()!r}")


def test_a_point_that_is_given_twice_is_refused_by_name() -> None:
    """Only one of the two could be meant to happen."""
    with pytest.raises(ValueError, match=r"^EZRA_FAILPOINTS: after_commit is given twice"):
        failpoints.read("after_commit=exit@3;before_commit=exit;after_commit=delay:1")


def test_a_point_fires_at_each_passing_or_at_the_one_named() -> None:
    """Counted from 1; another point's passings do not count."""
    failpoints.arm(failpoints.read("before_commit=raise@2;before_checkpoint=raise"))
    failpoints.passing("before_commit")
    failpoints.passing("after_commit")
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error") as caught:
        failpoints.passing("before_commit")
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_IOERR
    failpoints.passing("before_commit")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError):
            failpoints.passing("before_checkpoint")


def test_a_delay_is_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fractions allowed."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    failpoints.arm(failpoints.read("after_commit=delay:0.25;before_commit=delay:3"))
    failpoints.passing("after_commit")
    failpoints.passing("before_commit")
    assert slept == [0.25, 3.0]


def test_an_exit_is_told_from_every_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is put in order before it."""
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    failpoints.arm(failpoints.read("after_commit=exit"))
    failpoints.passing("after_commit")
    assert codes == [failpoints.EXIT_CODE]


@pytest.mark.parametrize(
    ("result", "hands_out"),
    [
        ((Delivery(Address("q"), (TASK,)),), True),
        ((TASK,), True),
        (Taken((TASK,), 0), True),
        (Taken((), 0), False),
        ((), False),
        (None, False),
        (7, False),
        ((Entry(1, b"p", ()),), False),
    ],
)
def test_only_results_that_hand_out_tasks_pass_after_claim(
    result: object, *, hands_out: bool
) -> None:
    """Its error is that of a link which is lost."""
    failpoints.arm(failpoints.read("after_claim=raise"))
    if hands_out:
        with pytest.raises(OSError, match="broken pipe"):
            failpoints.passing_claim([5, result])
    else:
        failpoints.passing_claim([5, result])

"""Laws of `tail`: what a power loss tears is not refused, what was fsynced never drops silently."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ezra.threaded.sqlite.inspection import Damage, inspect_files, read_header
from ezra.threaded.sqlite.tail import Tail
from ezra.threaded.sqlite.wal import open_wal
from tests.property.wal_worlds import SECTOR, Crashed, History, recovered, torn

SIZES = (0, 1500, 100, 0, 2500, 40)


@pytest.fixture(scope="module", params=["new", "restarted", "after a roll-back", "4 KiB"])
def crashed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Crashed:
    """Return a crashed database with six answered commits in its log."""
    history = History(tmp_path_factory.mktemp("live"), 4096 if request.param == "4 KiB" else 512)
    if request.param != "new":
        for _ in range(8):
            history.commit(3000)
        history.restart()
    for number, size in enumerate(SIZES):
        history.commit(size)
        if number == 3 and request.param == "after a roll-back":
            history.roll_back(9000)
    made = history.crash(tmp_path_factory.mktemp("crashed"))
    history.close()
    return made


def frames_of(crashed: Crashed) -> Iterator[tuple[int, bool, bool]]:
    """Yield of each frame of this run: where it begins, if it commits, if its mark is sure."""
    path = crashed.directory / "whole-wal"
    path.write_bytes(crashed.logs[-1])
    with path.open("rb") as file:
        wal = open_wal(file)
        assert wal is not None
        for frame in wal.frames(1):
            if frame.salts == wal.salts:
                yield frame.at, frame.commit != 0, frame.mark_is_sure


def test_a_log_that_is_whole_is_clean(crashed: Crashed) -> None:
    """Whatever older runs have left behind its end."""
    findings, commits = crashed.look(crashed.logs[-1])
    assert (findings.tail, commits) == (Tail.CLEAN, crashed.commits)


@pytest.mark.unmeasured
def test_a_log_cut_off_anywhere_is_never_refused(crashed: Crashed) -> None:
    """What was committed before the cut is there, and a transaction without its end is said."""
    whole = crashed.logs[-1]
    around = {end + more for end in crashed.ends for more in (-1, 0, 24)}
    step = len(whole) // 40 + 1
    for size in sorted(around | set(range(0, len(whole), step)) | {0, 31, 32, 33}):
        findings, commits = crashed.look(whole[:size])
        assert findings.tail is not Tail.DAMAGED
        if crashed.ends[0] <= size <= crashed.ends[-1]:
            assert findings.tail is (Tail.CLEAN if size in crashed.ends else Tail.TORN)
        assert commits == sum(end <= size for end in crashed.ends[1:])


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_torn_transaction_is_never_refused(crashed: Crashed, data: st.DataObject) -> None:
    """Any sectors of the last write may be on disk, any not, and the file be of any length.

    Those before it are all there. If it is the whole of it that is there, so is that.
    """
    last = data.draw(st.integers(1, crashed.commits))
    old = data.draw(st.sampled_from([crashed.logs[last - 1], crashed.befores[last]]))
    new = crashed.logs[last]
    kept = data.draw(st.lists(st.booleans(), max_size=40))
    size = data.draw(st.integers(len(old), max(len(old), len(new))) | st.just(len(new)))
    findings, commits = crashed.look(torn(old, new, kept, size))
    assert commits in (last - 1, last)
    assert findings.tail in (Tail.CLEAN, Tail.TORN)
    if all(kept) and size == len(new):
        assert (commits, findings.tail) == (last, Tail.CLEAN)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_what_a_torn_transaction_leaves_is_no_damage_later(
    crashed: Crashed, data: st.DataObject
) -> None:
    """Some other program may write on behind it, and be torn in its turn."""
    old, new = crashed.logs[3:5]
    choices = st.lists(st.booleans(), max_size=40)
    first = torn(old, new, data.draw(choices), len(new))
    before, after = recovered(crashed, first, data.draw(st.integers(0, 1500)))
    findings, commits = crashed.look(torn(before, after, data.draw(choices), len(after)))
    assert findings.tail in (Tail.CLEAN, Tail.TORN)
    assert commits >= 3


def test_a_commit_mark_may_be_older_than_the_salts_behind_it(tmp_path: Path) -> None:
    """Where a sector ends between the two, and the page before that one is what it was before."""
    history = History(tmp_path)
    history.commit()
    history.commit(40_000, "zeroblob")
    history.close()
    crashed = Crashed(
        tmp_path, history.path.read_bytes(), history.logs, history.befores, history.ends
    )
    (at,) = (at for at, marked, sure in frames_of(crashed) if not marked and not sure)
    log = bytearray(crashed.logs[-1])
    assert at > crashed.ends[1]
    assert (at + 8) % SECTOR == 0
    assert not any(log[at + 8 - SECTOR : at])
    log[at : at + 8] = (7).to_bytes(4, "big") * 2
    findings, commits = crashed.look(bytes(log))
    assert (findings.tail, commits) == (Tail.TORN, 1)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_answered_commit_vanishes_without_a_word(crashed: Crashed, data: st.DataObject) -> None:
    """Whatever byte of the log is another one."""
    whole = crashed.logs[-1]
    frames = list(frames_of(crashed))
    in_header = st.sampled_from([at for at, *_ in frames]).flatmap(
        lambda at: st.integers(at, at + 23)
    )
    at = data.draw(st.integers(0, len(whole) - 1) | in_header)
    change = data.draw(st.integers(1, 255) | st.sampled_from([whole[at] or 1]))
    check_flip(crashed, frames, at, change)


@pytest.mark.unmeasured
def test_no_bit_of_a_frame_s_header_flips_without_a_word(crashed: Crashed) -> None:
    """Exhaustive where it is most delicate: page, commit mark, salts and sums of every frame."""
    frames = list(frames_of(crashed))
    for start, *_ in frames[-4:]:
        for at in range(start, start + 24):
            check_flip(crashed, frames, at, crashed.logs[-1][at] or 1 << (at % 8))


def check_flip(
    crashed: Crashed, frames: list[tuple[int, bool, bool]], at: int, change: int
) -> None:
    """Change one byte and see that it is refused, or said, or of no consequence.

    What is only said costs the last commit, or two where the mark of the last but one stands in
    another sector than its salts.
    """
    log = bytearray(crashed.logs[-1])
    log[at] ^= change
    try:
        crashed.put(bytes(log))
        inspect_files(crashed.path, read_header(crashed.path))
        findings, commits = crashed.look(bytes(log))
    except Damage:
        return
    if findings.tail is Tail.CLEAN:
        assert commits == crashed.commits
        return
    lost = crashed.commits - commits
    assert lost == 1 or (lost == 2 and is_unsure(frames, at)), (at, change)


def is_unsure(frames: list[tuple[int, bool, bool]], at: int) -> bool:
    """Say whether a byte is in a frame that commits, with a mark that a tear could have left."""
    _, commits, sure = max(frame for frame in frames if frame[0] <= at)
    return commits and not sure

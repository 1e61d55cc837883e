"""A seeded scheduler of threads: one runs at a time, and a random number decides which.

    Scheduler(seed).run(scenario)

The scenario is a function. Within `run`, the modules of EZRA find other locks, conditions, events
and threads under the name `threading` (`stand_in.py`): each of them asks the scheduler at every
operation who goes on, and a trace function asks at every line of EZRA's own code. The threads are
real ones; all but one wait for the baton. So

- whatever one line of Python does between two others can happen, and is tried far more often than
  an operating system would, however short its switch interval;
- the same seed makes the same decisions: a failure is replayed by its seed;
- nothing waits for time. A wait with a timeout may time out whenever the scheduler likes;
- when everybody waits for somebody, that is a deadlock, and its report says where each stands.

How often it changes threads, and how long it holds up the one that it has left, is drawn for each
seed: some races need two threads that take turns at every line, others one that stands still at the
one wrong moment while the others get far ahead.

What it does not try: two threads within one line or within one call into C, such as SQLite's. A
Python without the GIL does that (`make test-freethreaded`).
"""

from __future__ import annotations

import random
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent

TRACED: Final = (str(ROOT / "ezra" / "threaded"),)
"""Where every line is a point of decision, unless a scheduler is told otherwise."""

UNTRACED: Final = tuple(
    str(ROOT / "ezra" / "threaded" / "sqlite" / name)
    for name in (
        # What is cached runs the first time only, and a seed would not replay.
        "statements",
        # Run by who leads a commit and by nobody else at that time; `writer.py` and `parking.py`
        # are traced, so two leaders at once are met there.
        *("calls", "claims", "database", "faults", "idle", "pushes", "queues", "reading"),
        *("registry", "rows", "schema", "steps", "sweep", "transaction"),
    )
)
"""Not in files that begin so."""

RESTLESSNESS: Final = (0.5, 0.2, 0.05)
"""How likely each point of decision is to change threads."""

HOLD_UPS: Final = (0, 30, 300)
"""For how many decisions a thread is held up that another was preferred to, if others can go on."""

FARTHEST_AMBUSH: Final = 1_000
"""With half of the seeds each thread is also held up once, for `AMBUSHED` decisions: at one of its
first so many, and rather an early one. What it does briefly is met more often that way."""

AMBUSHED: Final = 1_000

MOST_DECISIONS: Final = 20_000
"""After so many a schedule is taken for one that never ends; the longest have some 4,000."""

PATIENCE: Final = 60
"""Seconds of real time for one schedule: it stands still only where a thread really blocks."""


class Abandoned(BaseException):
    """Unwinds the threads of a schedule that is over; no handler of errors may catch it."""


class Stuck(AssertionError):
    """Nobody can go on, or nobody ever comes to an end; the text says where each thread stands."""


class Runner:
    """One thread of a schedule."""

    def __init__(
        self, scheduler: Scheduler, number: int, name: str, run: Callable[[], Any]
    ) -> None:
        self.number = number
        self.name = name
        self.finished = False
        self.waits_for = ""
        """What it waits for, if it cannot go on."""
        self.held_up_until = 0
        self.decided = 0
        self.ambushed_at = 0
        self.interrupted = False
        """Whether its next wait is to end in a KeyboardInterrupt."""
        self.joiners: list[Runner] = []
        self.baton = threading.Lock()
        self.baton.acquire()
        self.thread = threading.Thread(target=scheduler.bootstrap, args=(self, run), daemon=True)


class Scheduler:
    """Runs one schedule. Only the thread that has the baton may call it, `run` excepted.

    Args:
        seed: decides everything.
        traced: beginnings of the paths of those files whose every line is a point of decision.
        ambush: hold up this thread at this decision of its own, and change threads at no other
            point but where one has to wait. Threads are counted from 0, the scenario's own.
    """

    def __init__(
        self,
        seed: int,
        traced: tuple[str, ...] = TRACED,
        ambush: tuple[int, int] | None = None,
    ) -> None:
        self.seed = seed
        self.decisions = 0
        self.switches = 0
        self.digest = 0
        """Made of every decision: two schedules that took the same way have the same."""
        self.afterwards = ExitStack()
        """What is to be done when the schedule is over, however it ended."""
        self._random = random.Random(seed).random
        self._restlessness = RESTLESSNESS[self.number(len(RESTLESSNESS))]
        self._hold_up = HOLD_UPS[self.number(len(HOLD_UPS))]
        self._ambushes = self._random() < 0.5
        self._ambush = ambush
        if ambush:
            self._restlessness, self._hold_up, self._ambushes = 0.0, 0, False
        self._traced = traced
        self._is_traced: dict[CodeType, bool] = {}
        self._runners: list[Runner] = []
        self._ready: list[Runner] = []
        self._running: Runner | None = None
        self._failure: BaseException | None = None
        self._abandoned = False
        self._over = threading.Event()

    def run(self, scenario: Callable[[], None]) -> None:
        """Run the scenario, and every thread that it starts, to the end.

        Raises:
            Stuck: they did not get to it.
            BaseException: whatever a thread raised and did not catch; the first of them.
        """
        from tests.faults.stand_in import standing_in  # noqa: PLC0415 - each needs the other

        with self.afterwards, standing_in(self):
            first = self._running = self._add("scenario", scenario)
            first.baton.release()
            if not self._over.wait(PATIENCE):
                raise Stuck(f"a thread really blocks, beside the scheduler:\n{self.report()}")
            for runner in self._runners:
                runner.thread.join(PATIENCE)
        if self._failure is not None:
            raise self._failure

    # -- Threads -----------------------------------------------------------------------------------

    def spawn(self, name: str, run: Callable[[], Any]) -> Runner:
        """Start a thread."""
        runner = self._add(name, run)
        if self._ambush and runner.number == self._ambush[0]:
            runner.ambushed_at = self._ambush[1]
        elif self._ambushes:
            runner.ambushed_at = int(FARTHEST_AMBUSH ** self._random())
        else:
            # Else whoever is started first is mostly through before the last has begun.
            runner.held_up_until = self.decisions + self.number(self._hold_up + 1)
        self.decide(1)
        return runner

    def _add(self, name: str, run: Callable[[], Any]) -> Runner:
        runner = Runner(self, len(self._runners), name, run)
        self._runners.append(runner)
        runner.thread.start()  # as far as its baton
        self._ready.append(runner)
        return runner

    def join(self, runner: Runner) -> None:
        """Wait for the end of a thread."""
        while not runner.finished:
            runner.joiners.append(self.me)
            self.block(f"the end of {runner.name}")

    def bootstrap(self, runner: Runner, run: Callable[[], Any]) -> None:
        """Be one thread of the schedule, from its first decision to its last."""
        runner.baton.acquire()
        before = sys.gettrace()
        try:
            if not self._abandoned:
                sys.settrace(self._trace_calls)
                run()
        except Abandoned:
            pass
        except BaseException as error:  # raised again where the schedule was run
            self._fail(error)
        finally:
            sys.settrace(before)
            self._finish(runner)

    def _finish(self, runner: Runner) -> None:
        runner.finished = True
        if runner in self._ready:
            self._ready.remove(runner)
        for joiner in runner.joiners:
            self.wake(joiner)
        if all(other.finished for other in self._runners):
            self._over.set()
        elif self._abandoned:
            self._pass_on()
        else:
            try:
                self._next_of_ready()
            except Abandoned:
                self._pass_on()

    # -- Decisions ---------------------------------------------------------------------------------

    @property
    def me(self) -> Runner:
        """The thread that runs."""
        assert self._running is not None
        return self._running

    def check(self) -> None:
        """Unwind the thread that runs if the schedule is over."""
        if self._abandoned:
            raise Abandoned

    def decide(self, place: int) -> None:
        """Let another thread go on, or not. To be called by the one that runs, anywhere."""
        self.check()
        self.decisions += 1
        if self.decisions > MOST_DECISIONS:
            self._give_up(f"no end after {MOST_DECISIONS} decisions")
        me = self._running
        assert me is not None
        self.digest = hash((self.digest, me.number, place))
        me.decided += 1
        if me.decided == me.ambushed_at:
            others = [each for each in self._ready if each is not me]
            self._prefer(others, AMBUSHED)
        elif self._random() < self._restlessness:
            others = [each for each in self._free() if each is not me]
            self._prefer(others, self._hold_up)

    def _free(self) -> list[Runner]:
        """Return who can go on and is not held up."""
        return [each for each in self._ready if each.held_up_until <= self.decisions]

    def _prefer(self, others: list[Runner], hold_up: int) -> None:
        """Have one of the others go on, if there are any, and hold this one up."""
        if others:
            me = self.me
            me.held_up_until = self.decisions + hold_up
            self._hand_over(me, others[self.number(len(others))])

    def block(self, waits_for: str, *, timed: bool = False) -> None:
        """Have another thread go on until `wake` is called for this one.

        Args:
            waits_for: is said in the report of a deadlock.
            timed: whether it may also go on by itself, at any time.

        Raises:
            KeyboardInterrupt: this thread was to be interrupted.
        """
        self.check()
        me = self.me
        if me.interrupted:
            me.interrupted = False
            raise KeyboardInterrupt
        me.waits_for = waits_for
        if not timed:
            self._ready.remove(me)
        self._hand_over(me, self._next_or_stuck())
        me.waits_for = ""
        if me.interrupted:
            me.interrupted = False
            raise KeyboardInterrupt

    def wake(self, runner: Runner) -> None:
        """Let a thread go on that has blocked."""
        if runner not in self._ready and not runner.finished:
            self._ready.append(runner)

    def interrupt(self, runner: Runner) -> None:
        """Have a thread's present wait, or its next, end in a KeyboardInterrupt."""
        runner.interrupted = True
        self.wake(runner)

    def number(self, below: int) -> int:
        """Return a number of the seed's own, from 0 on."""
        return int(self._random() * below)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Meanwhile no line is a point of decision: for what is done before or after a race."""
        sys.settrace(None)
        try:
            yield
        finally:
            sys.settrace(self._trace_calls)

    def _next_or_stuck(self) -> Runner:
        """Return who goes on when the one that ran cannot."""
        if not self._ready:
            self._give_up("a deadlock: nobody can go on")
        free = self._free()
        if not free:
            return min(self._ready, key=attrgetter("held_up_until"))
        return free[self.number(len(free))]

    def _next_of_ready(self) -> None:
        """Let somebody go on after this thread has ended."""
        chosen = self._next_or_stuck()
        self._running = chosen
        chosen.baton.release()

    def _hand_over(self, me: Runner, chosen: Runner) -> None:
        if chosen is not me:
            self.switches += 1
            self._running = chosen
            chosen.baton.release()
            me.baton.acquire()
        self.check()

    # -- The end -----------------------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        """Note why the schedule is over; every other thread is unwound."""
        if self._failure is None:
            self._failure = error
        self._abandoned = True

    def _give_up(self, why: str) -> None:
        self._fail(Stuck(f"seed {self.seed}: {why}\n{self.report()}"))
        raise Abandoned

    def _pass_on(self) -> None:
        """After a failure: let the next thread that is there unwind itself."""
        for runner in self._runners:
            if not runner.finished:
                self._running = runner
                runner.baton.release()
                return
        self._over.set()

    def report(self) -> str:
        """Say where each thread stands."""
        frames = sys._current_frames()
        lines = []
        for runner in self._runners:
            state = "finished" if runner.finished else runner.waits_for or "could go on"
            lines.append(f"  {runner.name}: {state}")
            frame = frames.get(runner.thread.ident or 0)
            if not runner.finished and frame is not None:
                lines += [f"    {place}" for place in _places(frame)]
        return "\n".join(lines)

    # -- Lines -------------------------------------------------------------------------------------

    def _trace_calls(self, frame: FrameType, event: str, arg: object) -> Any:  # noqa: ARG002 - Python's
        code = frame.f_code
        known = self._is_traced.get(code)
        if known is None:
            name = code.co_filename
            known = name.startswith(self._traced) and not name.startswith(UNTRACED)
            self._is_traced[code] = known
        return self._trace_lines if known else None

    def _trace_lines(self, frame: FrameType, event: str, arg: object) -> Any:  # noqa: ARG002 - Python's
        if event == "line":
            self.decide(frame.f_lineno)
        return self._trace_lines


def _places(frame: FrameType) -> list[str]:
    """Return where a thread stands, innermost last; the scheduler's own frames say nothing."""
    own = str(Path(__file__).parent)
    stack = traceback.extract_stack(frame)
    told = [place for place in stack if place.filename.startswith(str(ROOT))]
    return [
        f"{Path(place.filename).relative_to(ROOT)}:{place.lineno} {place.name}: {place.line}"
        for place in told
        if not (place.filename.startswith(own) and Path(place.filename).stem in OWN_FILES)
    ]


OWN_FILES: Final = ("scheduler", "stand_in")

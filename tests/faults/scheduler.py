"""A seeded scheduler of threads: one runs at a time, and a random number decides which, line by line.

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

How often it changes threads is drawn from `RESTLESSNESS` for each seed: some races need two threads
that take turns at every line, others one that is held up while another gets far ahead.

What it does not try: two threads within one line or within one call into C, such as SQLite's. A
Python without the GIL does that (`make test-freethreaded`).
"""

from __future__ import annotations

import random
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent

TRACED: Final = (str(ROOT / "ezra" / "threaded"),)
"""Where every line is a point of decision, unless a scheduler is told otherwise."""

UNTRACED: Final = (str(ROOT / "ezra" / "threaded" / "sqlite" / "statements"),)
"""Not in here: what is cached runs the first time only, and a seed would not replay."""

RESTLESSNESS: Final = (0.5, 0.2, 0.05)
"""How likely each point of decision is to change threads."""

MOST_DECISIONS: Final = 200_000
"""After so many a schedule is taken for one that never ends."""

PATIENCE: Final = 60
"""Seconds of real time for one schedule: it stands still only where a thread really blocks."""


class Abandoned(BaseException):
    """Unwinds the threads of a schedule that is over; no handler of errors may catch it."""


class Stuck(AssertionError):
    """Nobody can go on, or nobody ever comes to an end; the text says where each thread stands."""


class Runner:
    """One thread of a schedule."""

    def __init__(self, scheduler: Scheduler, number: int, name: str, run: Callable[[], Any]) -> None:
        self.number = number
        self.name = name
        self.finished = False
        self.waits_for = ""
        """What it waits for, if it cannot go on."""
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
    """

    def __init__(self, seed: int, traced: tuple[str, ...] = TRACED) -> None:
        self.seed = seed
        self.decisions = 0
        self.switches = 0
        self.digest = 0
        """Made of every decision: two schedules that took the same way have the same."""
        self._random = random.Random(seed).random
        self._restlessness = RESTLESSNESS[int(self._random() * len(RESTLESSNESS))]
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

        with standing_in(self):
            first = self.add("scenario", scenario)
            first.thread.start()
            self._running = first
            first.baton.release()
            if not self._over.wait(PATIENCE):
                raise Stuck(f"a thread really blocks, beside the scheduler:\n{self.report()}")
            for runner in self._runners:
                if runner.thread.ident is not None:
                    runner.thread.join(PATIENCE)
        if self._failure is not None:
            raise self._failure

    # -- Threads -----------------------------------------------------------------------------------

    def add(self, name: str, run: Callable[[], Any]) -> Runner:
        """Make a thread that is ready to run, but was not started yet."""
        runner = Runner(self, len(self._runners), name, run)
        self._runners.append(runner)
        self._ready.append(runner)
        return runner

    def start(self, runner: Runner) -> None:
        """Let a thread take part from now on."""
        runner.thread.start()
        self.decide(1)

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
        except BaseException as error:  # noqa: BLE001 - it is raised where the schedule was run
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
        if all(other.finished or other.thread.ident is None for other in self._runners):
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
        if len(self._ready) > 1 and self._random() < self._restlessness:
            chosen = self._any_of_ready()
            if chosen is not me:
                self._hand_over(me, chosen)

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

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Meanwhile no line is a point of decision: for what prepares a scenario, or looks after."""
        sys.settrace(None)
        try:
            yield
        finally:
            sys.settrace(self._trace_calls)

    def _any_of_ready(self) -> Runner:
        return self._ready[int(self._random() * len(self._ready))]

    def _next_or_stuck(self) -> Runner:
        if not self._ready:
            self._give_up("a deadlock: nobody can go on")
        return self._any_of_ready()

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
            if not runner.finished and runner.thread.ident is not None:
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

"""What stands in for `threading` while the scheduler decides who runs.

EZRA's modules say `import threading` and `threading.Lock()`. So nothing in them has to know of
this, and nothing costs anything outside of it: for the time of a schedule, the name `threading` in
each of them leads to a `StandIn`, which has the same classes on the scheduler's terms, and
everything else from the real module. A module that took a class out of `threading` by itself would
escape; `standing_in` refuses to start with one.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tests.faults.scheduler import Runner, Scheduler

ALSO = ("tests.property.fake_clock",)
"""Modules beside EZRA's own whose locks the scheduler has to know."""


@contextmanager
def standing_in(scheduler: Scheduler) -> Iterator[None]:
    """Meanwhile, locks and threads that EZRA makes are the scheduler's."""
    modules = list(concerned())
    stand_in = StandIn(scheduler)
    for module in modules:
        module.threading = stand_in  # type: ignore[attr-defined]  # found there
    try:
        yield
    finally:
        for module in modules:
            module.threading = threading  # type: ignore[attr-defined]  # as it was


def concerned() -> Iterator[ModuleType]:
    """Yield every loaded module of EZRA that makes locks or threads."""
    for name, module in sorted(sys.modules.items()):
        if name.split(".")[0] != "ezra" and name not in ALSO:
            continue
        for its_name, value in vars(module).items():
            if value is threading:
                yield module
            elif getattr(value, "__module__", None) in ("threading", "_thread"):
                raise TypeError(f"{name}.{its_name} escapes the scheduler: use `import threading`")


class StandIn:
    """The module `threading`, as far as EZRA uses it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def Lock(self) -> SteppedLock:  # noqa: N802 - as in threading
        """Make a lock."""
        return SteppedLock(self._scheduler)

    def RLock(self) -> SteppedLock:  # noqa: N802 - as in threading
        """Make a lock that its holder may take again."""
        return SteppedLock(self._scheduler, reentrant=True)

    def Condition(self, lock: SteppedLock | None = None) -> SteppedCondition:  # noqa: N802
        """Make a condition, of its own lock unless another is given."""
        return SteppedCondition(self._scheduler, lock or self.RLock())

    def Event(self) -> SteppedEvent:  # noqa: N802 - as in threading
        """Make an event."""
        return SteppedEvent(self.Condition())

    def Thread(  # noqa: N802 - as in threading
        self,
        target: Callable[..., Any],
        *,
        name: str = "",
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        daemon: bool = False,  # noqa: ARG002 - the scheduler waits for all of them
    ) -> SteppedThread:
        """Make a thread."""
        return SteppedThread(self._scheduler, lambda: target(*args, **(kwargs or {})), name)

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


class SteppedThread:
    """A thread of the schedule."""

    def __init__(self, scheduler: Scheduler, run: Callable[[], Any], name: str) -> None:
        self.name = name
        self.runner: Runner | None = None
        self._scheduler = scheduler
        self._run = run

    def start(self) -> None:
        """Take part in the schedule."""
        self.runner = self._scheduler.spawn(self.name, self._run)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        assert timeout is None
        assert self.runner is not None
        self._scheduler.join(self.runner)

    def is_alive(self) -> bool:
        """Say whether it was started and has not ended."""
        return self.runner is not None and not self.runner.finished


class SteppedLock:
    """A lock, and who waits for it. Any thread may release it, unless it is reentrant."""

    def __init__(self, scheduler: Scheduler, *, reentrant: bool = False) -> None:
        self.scheduler = scheduler
        self.holder: Runner | None = None
        self._reentrant = reentrant
        self._depth = 0
        self._waiting: list[Runner] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; who gets it among those who wait is the scheduler's to say."""
        scheduler = self.scheduler
        scheduler.decide(2)
        me = scheduler.me
        if self._reentrant and self.holder is me:
            self._depth += 1
            return True
        while self.holder is not None:
            if not blocking:
                return False
            self._waiting.append(me)
            try:
                scheduler.block(f"a lock that {self.holder.name} took", timed=timeout >= 0)
            finally:
                if me in self._waiting:
                    self._waiting.remove(me)
            if timeout >= 0 and self.holder is not None:
                return False
        self.holder = me
        self._depth = 1
        return True

    def release(self) -> None:
        """Let go of the lock."""
        self.scheduler.check()
        if self.holder is None:
            raise RuntimeError("release of a lock that nobody holds")
        if self._reentrant and self.holder is not self.scheduler.me:
            raise RuntimeError("release of another thread's lock")
        self._depth -= 1
        if self._depth == 0:
            self.let_go()
            self.scheduler.decide(3)

    def let_go(self) -> int:
        """Release it however often it was taken, which is returned; without any decision."""
        depth, self._depth, self.holder = self._depth, 0, None
        waiting, self._waiting = self._waiting, []
        for runner in waiting:
            self.scheduler.wake(runner)
        return depth

    def take_back(self, depth: int) -> None:
        """Take it again as often as before.

        Not to be interrupted: Python's own `Condition.wait` would come back without its lock, which
        nobody who calls it could mend.
        """
        me = self.scheduler.me
        interrupted, me.interrupted = me.interrupted, False
        self.acquire()
        self._depth = depth
        me.interrupted = interrupted

    def locked(self) -> bool:
        """Say whether somebody holds it."""
        return self.holder is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class SteppedCondition:
    """A condition; those who wait are notified in the order in which they came, as Python's are."""

    def __init__(self, scheduler: Scheduler, lock: SteppedLock) -> None:
        self._scheduler = scheduler
        self._lock = lock
        self._waiting: list[Runner] = []
        self.acquire = lock.acquire
        self.release = lock.release

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Let go of the lock until notified; say whether that was why it ended."""
        self._check_held()
        me = self._scheduler.me
        self._waiting.append(me)
        depth = self._lock.let_go()
        try:
            self._scheduler.block("a condition to be notified", timed=timeout is not None)
        finally:
            notified = me not in self._waiting
            if not notified:
                self._waiting.remove(me)
            self._lock.take_back(depth)
        return notified

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until the predicate holds, and return its value."""
        while not (value := predicate()):
            if not self.wait(timeout) and timeout is not None:
                return predicate()
        return value

    def notify(self, n: int = 1) -> None:
        """Wake so many of those who wait."""
        self._check_held()
        called, self._waiting = self._waiting[:n], self._waiting[n:]
        for runner in called:
            self._scheduler.wake(runner)

    def notify_all(self) -> None:
        """Wake all who wait."""
        self.notify(len(self._waiting))

    def _check_held(self) -> None:
        self._scheduler.check()
        if not self._lock.locked():
            raise RuntimeError("the condition's lock is not held")


class SteppedEvent:
    """A flag to wait for."""

    def __init__(self, changed: SteppedCondition) -> None:
        self._changed = changed
        self._set = False

    def is_set(self) -> bool:
        """Say whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it."""
        with self._changed:
            self._set = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Take it back."""
        with self._changed:
            self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set."""
        with self._changed:
            self._changed.wait_for(lambda: self._set, timeout)
            return self._set

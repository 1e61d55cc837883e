"""Each task's story by itself: who pushed it, who had it when, what became of it.

What is certain of a delivery is a `Hold`: from the arrival of the reply until the lease can have
ended at the earliest. A lease begins at the server's moment, which is no earlier than the claim was
sent; it is cut no earlier than a restart begins or somebody sends an ack or nack.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ezra.sansio.model import wire_id
from tests.faults.records import (
    Act,
    Claim,
    Deed,
    Delivery,
    Fault,
    Left,
    Push,
    Record,
    Remnant,
    Restart,
    Rules,
    Violation,
)

NEVER = 2**63
"""Later than any moment."""


class Unseen:
    """The claims of which nobody knows what they handed out: each may have cost an attempt."""

    def __init__(self, claims: Iterable[Claim], aftermath: int) -> None:
        lost = [claim for claim in claims if claim.tasks is None]
        self._begun = sorted(claim.begun for claim in lost)
        self._over = sorted(claim.ended + aftermath for claim in lost)

    def between(self, since: int, until: int) -> int:
        """Return how many may have been carried out between two moments."""
        return bisect_right(self._begun, until) - bisect_left(self._over, since)


@dataclass(slots=True)
class Origin:
    """One key's push, however often it was repeated."""

    first: Push
    id: int | None = None
    """As an answer, or a delivery, told it."""
    answered: int | None = None
    """When the first answer had arrived."""
    refused: bool = True
    """Whether every one of its pushes was."""


@dataclass(slots=True)
class Story:
    """All that is known of one task."""

    id: int
    origin: Origin
    deliveries: list[tuple[Claim, Delivery]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    remnant: Remnant | None = None

    def __str__(self) -> str:
        return f"task {wire_id(self.id)} ({self.origin.first.key}, {self.origin.first.queue})"


class Book:
    """The records, dealt out by task."""

    def __init__(
        self, records: Sequence[Record], remnants: Iterable[Remnant] | None, rules: Rules
    ) -> None:
        self.misfits: list[Violation] = []
        """What does not belong to any story, or contradicts its own."""
        self.origins: dict[str, Origin] = {}
        self.stories: dict[int, Story] = {}
        self.complete = remnants is not None
        """Whether somebody looked at the end."""
        self.restarts = sorted(one.begun for one in records if isinstance(one, Restart))
        # A clock that was set on has let what was remembered of pushes run out.
        self._forgetful = not rules.steady and bool(self.restarts)
        for record in records:
            if isinstance(record, Push):
                self._add_push(record)
        for record in records:
            if isinstance(record, Claim):
                self._add_claim(record)
        for record in records:
            if isinstance(record, Act):
                self._add_act(record)
        for remnant in remnants or ():
            story = self._story(remnant.id, remnant.key)
            if story is not None:
                story.remnant = remnant

    def _add_push(self, push: Push) -> None:
        origin = self.origins.get(push.key)
        if origin is None:
            origin = self.origins[push.key] = Origin(push)
        elif push.begun < origin.first.begun:
            origin.first = push
        origin.refused = origin.refused and push.refused
        if push.id is not None:
            origin.answered = min(origin.answered or NEVER, push.ended)
            self._story(push.id, push.key)

    def _add_claim(self, claim: Claim) -> None:
        for delivery in claim.tasks or ():
            story = self._story(delivery.id, delivery.key)
            if story is None:
                continue
            story.deliveries.append((claim, delivery))
            push = story.origin.first
            if push.queue != claim.queue:
                self._misfit(Fault.PHANTOM, f"{story} came from {claim.queue}")
            if claim.ended < push.begun:
                self._misfit(Fault.PHANTOM, f"{story} came before it was pushed")

    def _add_act(self, act: Act) -> None:
        story = self.stories.get(act.id)
        if story is None:
            what = f"{act.worker} had {wire_id(act.id)}, which nobody was given"
            self._misfit(Fault.PHANTOM, what)
        else:
            story.acts.append(act)

    def _story(self, number: int, key: str) -> Story | None:
        """Return the story of the task with that id, in which its key must fit; None if not."""
        origin = self.origins.get(key)
        if origin is None or origin.refused:
            why = "nobody pushed it" if origin is None else "its push was refused"
            self._misfit(Fault.PHANTOM, f"{key} is task {wire_id(number)}: {why}")
            return None
        story = self.stories.get(number)
        if story is None:
            story = self.stories[number] = Story(number, origin)
        elif story.origin is not origin:
            self._misfit(Fault.ID_REUSED, f"{story} is {key}, too")
            return None
        if origin.id not in (None, number) and not self._forgetful:
            self._misfit(Fault.PHANTOM, f"{story} was pushed once and is there twice")
            return None
        origin.id = origin.id or number
        return story

    def _misfit(self, fault: Fault, what: str) -> None:
        self.misfits.append(Violation(fault, what))


@dataclass(slots=True)
class Hold:
    """A delivery, and for how long it certainly was its worker's own."""

    claim: Claim
    attempt: int
    since: int
    """The lease began no earlier."""
    lease_until: int
    """It was over no earlier, unless somebody ended it by an ack or nack."""
    until: int = NEVER
    """It was over no earlier."""

    @property
    def arrived(self) -> int:
        """When the worker had the task."""
        return self.claim.ended


def judge(book: Book, unseen: Unseen, rules: Rules) -> Iterator[Violation]:
    """Judge every story by itself."""
    for story in book.stories.values():
        if _is_plain(story):
            continue
        holds = _holds(story, book.restarts, rules)
        judges = [
            _two_holders(holds),
            _cut_leases(story, holds),
            _attempts(story, holds, unseen, rules),
            _acks(story, holds, rules),
            _early(story, holds, book, rules),
        ]
        if book.complete:
            judges.append(_fate(story, holds, unseen, rules))
        for found in judges:
            for fault, what in found:
                yield Violation(fault, f"{story} {what}")


def _is_plain(story: Story) -> bool:
    """Tell whether nothing can be wrong with it: pushed, delivered once, acked by who has it.

    That is what most stories are, so that the others may cost more.
    """
    if len(story.deliveries) != 1 or len(story.acts) != 1 or story.remnant is not None:
        return False
    [(claim, delivery)], [act] = story.deliveries, story.acts
    return (
        act.deed is Deed.ACK
        and act.counted is True
        and act.worker == claim.worker
        and act.begun >= claim.ended
        and delivery.attempt == 1
        and not story.origin.first.delay
    )


Found = Iterator[tuple[Fault, str]]


# -- Who had it ------------------------------------------------------------------------------------


def _holds(story: Story, restarts: Sequence[int], rules: Rules) -> list[Hold]:
    """Return its deliveries by attempt, with what is certain of each."""
    holds = []
    for claim, delivery in story.deliveries:
        since = max(claim.begun, story.origin.first.begun)
        holds.append(Hold(claim, delivery.attempt, since, since + claim.lease))
    holds.sort(key=lambda hold: (hold.attempt, hold.arrived))
    _renew(story, holds)
    endings = [act for act in story.acts if _may_end(act)]
    for hold in holds:
        place = bisect_left(restarts, hold.since)
        cut = restarts[place] if place < len(restarts) else NEVER
        hold.lease_until = min(hold.lease_until, cut)
        ended = [act.begun for act in endings if _last_moment(act, rules) >= hold.since]
        hold.until = min([hold.lease_until, *ended])
    return holds


def _renew(story: Story, holds: Sequence[Hold]) -> None:
    """Let the heartbeats that counted prolong what they were about."""
    for act in story.acts:
        if act.deed is Deed.EXTEND and act.counted:
            hold = _hold_of(act, holds)
            if hold:
                hold.lease_until = max(hold.lease_until, act.begun + act.lease)


def _hold_of(act: Act, holds: Sequence[Hold]) -> Hold | None:
    """Return what the act is about: the worker's latest delivery of the task before it."""
    its = [h for h in holds if h.claim.worker == act.worker and h.arrived <= act.begun]
    return max(its, key=lambda hold: hold.arrived, default=None)


def _may_end(act: Act) -> bool:
    """Tell whether the act may have taken the task from whoever had it."""
    return act.deed is not Deed.EXTEND and act.counted is not False


def _may_fall(act: Act, since: int, until: int, rules: Rules) -> bool:
    """Tell whether the act can have been carried out between two moments."""
    return act.begun <= until and _last_moment(act, rules) >= since


def _last_moment(act: Act, rules: Rules) -> int:
    """Return the last moment at which the act can have been carried out."""
    return act.ended if act.counted is not None else act.ended + rules.aftermath


def _two_holders(holds: Sequence[Hold]) -> Found:
    for one, other in pairwise(holds):
        # Between equal attempts (one was taken back) nobody knows which was first.
        known = one.attempt < other.attempt
        if other.arrived < one.until and (known or one.arrived < other.until):
            workers = f"{one.claim.worker} and {other.claim.worker}"
            overlap = one.until - other.arrived
            yield Fault.TWO_HOLDERS, f"was with {workers} at a time, {overlap} µs before the end"


def _cut_leases(story: Story, holds: Sequence[Hold]) -> Found:
    """Whoever holds a task for certain must be able to do something about it."""
    for act in story.acts:
        if act.counted is False:
            hold = _hold_of(act, holds)
            if hold and act.ended <= hold.until:
                rest = hold.until - act.ended
                yield Fault.LEASE_CUT, f"was not {act.worker}'s any more, {rest} µs before the end"


# -- How often -------------------------------------------------------------------------------------


def _attempts(story: Story, holds: Sequence[Hold], unseen: Unseen, rules: Rules) -> Found:
    """One more at each delivery; deliveries that nobody saw may have been between."""
    releases = [act for act in story.acts if act.deed is Deed.RELEASE and act.counted is not False]
    before, since = 0, story.origin.first.begun
    for hold in holds:
        # Between two at equal attempts nobody knows which was first: look around both.
        since = min(since, hold.since)
        back = sum(_may_fall(act, since, hold.arrived, rules) for act in releases)
        unknown = unseen.between(since, hold.arrived)
        if not 1 - back <= hold.attempt - before <= 1 + unknown:
            yield Fault.ATTEMPTS, f"came at attempt {hold.attempt}, after {before}"
        if hold.attempt > rules.max_attempts:
            yield Fault.ATTEMPTS, f"came at attempt {hold.attempt} of {rules.max_attempts}"
        before, since = hold.attempt, hold.since
    for one, other in pairwise(holds):
        if one.attempt < other.attempt and other.arrived < one.since:
            yield Fault.ATTEMPTS, f"came at attempt {other.attempt} before {one.attempt}"


# -- What became of it -----------------------------------------------------------------------------


def _acks(story: Story, holds: Sequence[Hold], rules: Rules) -> Found:
    """After an ack that counted nothing more comes of the task."""
    acks = [act for act in story.acts if act.deed is Deed.ACK and act.counted]
    if len(acks) > 1:
        yield Fault.DONE_TWICE, f"was done by {' and '.join(act.worker for act in acks)}"
    for act in acks:
        its = _hold_of(act, holds)
        within = its is not None and _within(act, its, story, rules)
        for hold in holds:
            if hold.claim.begun >= act.ended or (within and its and hold.attempt > its.attempt):
                yield Fault.REDELIVERED, f"came to {hold.claim.worker} at attempt {hold.attempt}"


def _within(ack: Act, hold: Hold, story: Story, rules: Rules) -> bool:
    """Tell whether the ack certainly ended this hold: within its lease, and nothing else did."""
    others = [act for act in story.acts if _may_end(act) and act is not ack]
    return ack.ended <= hold.lease_until and not any(
        _may_fall(act, hold.since, ack.ended, rules) for act in others
    )


def _early(story: Story, holds: Sequence[Hold], book: Book, rules: Rules) -> Found:
    """Nothing comes before its delay is over: that of its push, and that of a nack."""
    push = story.origin.first
    waits = [(push.begun, push.begun, push.delay)] if push.delay else []
    waits += [(act.begun, act.ended, act.delay) for act in story.acts if act.delay and act.counted]
    for begun, ended, delay in waits:
        for hold in holds:
            if not rules.steady and book.restarts:
                continue
            if hold.claim.begun >= ended and hold.arrived < begun + delay:
                early = begun + delay - hold.arrived
                yield Fault.EARLY, f"came to {hold.claim.worker} {early} µs too early"


def _fate(story: Story, holds: Sequence[Hold], unseen: Unseen, rules: Rules) -> Found:
    """At the end it is done, or found where it should be."""
    acks = [act.counted for act in story.acts if act.deed is Deed.ACK and act.counted is not False]
    remnant = story.remnant
    if remnant is None:
        if not acks:
            yield Fault.LOST, "is nowhere, and nobody acked it"
    elif True in acks:
        yield Fault.REDELIVERED, f"is {remnant.left.value} after all"
    elif remnant.left is Left.DEAD:
        last = holds[-1] if holds else None
        attempts, since = (last.attempt, last.since) if last else (0, story.origin.first.begun)
        if attempts + unseen.between(since, NEVER) < rules.max_attempts:
            yield Fault.DIED_EARLY, f"after attempt {attempts}"
    elif rules.drained:
        yield Fault.UNDRAINED, f"is {remnant.left.value}"

"""What concerns all tasks together: the order of their ids, and whose turn it was.

Of two pushes the order is known when one was answered before the other was sent. Of two tasks it
is known whose turn came first when one waited, ready and untouched, all the time that a claim took
which was given the other. With many workers the head of a queue is always on its way to somebody
and little is certain; a single worker's claims are all judged.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter

from ezra.sansio.model import wire_id
from tests.faults.records import Claim, Deed, Fault, Left, Violation
from tests.faults.stories import NEVER, Book, Origin, Story, Unseen

Rank = tuple[int, int]
"""Whose turn comes first: by priority, then by id."""

Wait = tuple[Rank, int, int]
"""A task's rank, and from when until when it certainly waited."""

LOOKED_AT = 16
"""Tasks at the head of a queue that may be on their way to somebody before one that is not."""


def judge_ids(book: Book) -> Iterator[Violation]:
    """Each id is above all those that were answered before its push was sent."""
    known = [origin for origin in book.origins.values() if origin.id is not None]
    answered = sorted((one.answered, one.id) for one in known if one.answered and one.id)
    place, highest = 0, 0
    for origin in sorted(known, key=lambda one: one.first.begun):
        while place < len(answered) and answered[place][0] < origin.first.begun:
            highest = max(highest, answered[place][1])
            place += 1
        if origin.id is not None and origin.id <= highest:
            what = f"{wire_id(origin.id)} ({origin.first.key}) after {wire_id(highest)}"
            yield Violation(Fault.ID_BACKWARDS, what)


def judge_turns(book: Book, claims: Iterable[Claim], unseen: Unseen) -> Iterator[Violation]:
    """Nobody is served while another task, whose turn came first, waits all the time."""
    waits, served = defaultdict(list), defaultdict(list)
    for story in book.stories.values():
        wait = _wait(story, unseen)
        if wait:
            waits[story.origin.first.queue].append(wait)
    for claim in claims:
        if claim.tasks is not None and not unseen.between(claim.begun, claim.ended):
            served[claim.queue].append(claim)
    for queue, its in served.items():
        its.sort(key=attrgetter("begun"))
        for claim, first in _firsts(its, sorted(waits[queue], key=itemgetter(1))):
            yield from _judge_claim(claim, first, book)


def _wait(story: Story, unseen: Unseen) -> Wait | None:
    """Return when the task certainly waited for its first delivery, if that is known."""
    origin = story.origin
    if origin.answered is None or origin.first.delay or origin.id != story.id:
        return None
    rank = _rank(story.id, origin)
    if story.deliveries:
        # At a later attempt it has been with somebody before whom nobody saw.
        seen = min(delivery.attempt for _, delivery in story.deliveries) == 1
        taken = min(claim.begun for claim, _ in story.deliveries)
        return (rank, origin.answered, taken) if seen else None
    waits = story.remnant is not None and story.remnant.left is Left.WAITING
    if waits and not unseen.between(origin.first.begun, NEVER):
        return rank, origin.answered, NEVER
    return None


def _rank(number: int, origin: Origin) -> Rank:
    return (-origin.first.priority, number)


def _firsts(claims: Sequence[Claim], waits: Sequence[Wait]) -> Iterator[tuple[Claim, Rank]]:
    """Return, with each claim, whose turn it was of those who waited all the time it took.

    Both must be in the order in which they begin.
    """
    heap: list[Wait] = []
    place = 0
    for claim in claims:
        while place < len(waits) and waits[place][1] < claim.begun:
            heapq.heappush(heap, waits[place])
            place += 1
        undecided: list[Wait] = []
        while heap and len(undecided) < LOOKED_AT:
            if heap[0][2] > claim.ended:
                yield claim, heap[0][0]
                break
            wait = heapq.heappop(heap)
            if wait[2] >= claim.begun:
                undecided.append(wait)
        for wait in undecided:
            heapq.heappush(heap, wait)


def _judge_claim(claim: Claim, first: Rank, book: Book) -> Iterator[Violation]:
    if not claim.tasks:
        what = f"{claim.worker}, by {wire_id(first[1])} of {claim.queue}"
        yield Violation(Fault.PASSED_OVER, what)
    for delivery in claim.tasks or ():
        story = book.stories.get(delivery.id)
        if story is not None and first < _place(story):
            what = f"{claim.worker} was given {story} before {wire_id(first[1])}"
            yield Violation(Fault.OUT_OF_ORDER, what)


def _place(story: Story) -> Rank:
    """Return the rank that the task has at the most.

    Once it has had a delay only its priority is certain.
    """
    delayed = story.origin.first.delay or any(
        act.delay and act.deed is Deed.NACK for act in story.acts
    )
    priority, number = _rank(story.id, story.origin)
    return (priority, -1) if delayed else (priority, number)

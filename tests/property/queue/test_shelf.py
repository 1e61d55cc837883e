"""One queue: what each worker holds in it, and its books."""

from __future__ import annotations

from ezra.sansio.model import SECOND, Address, Delivery, NewTask, QueueSettings, Status
from ezra.sansio.queue.operations import Ack, Claim, Extend
from tests.property.queue.story import DEAD, Q, Story, moment


def test_a_heartbeat_renews_what_the_worker_still_holds() -> None:
    """The ids it holds come back in the order given, each once; attempts are unchanged."""
    story = Story()
    first, second, third = (story.push(0) for _ in range(3))
    story.do(0, Claim((Q,), "ann", count=2))
    story.claim(0, worker="bob")
    asked = (second, third, first, second, 1)
    assert story.do(4, Extend("other", "ann", asked)) == ()
    assert story.do(4, Extend("q", "ann", asked)) == (second, first)
    task = story.task(first)
    assert (task.lease_until, task.claimed_at, task.attempts) == (moment(14), moment(0), 1)
    assert story.task(third).lease_until == moment(10)
    story.passes(10)
    assert story.do(10, Extend("q", "bob", (third,))) == ()


def test_rereading_gives_the_workers_own_tasks_with_new_leases() -> None:
    """By id, above the one given, up to the count in all, empty deliveries included."""
    story = Story()
    dead = story.died(0)
    story.claim(0, DEAD)
    ids = [story.held(0) for _ in range(3)]
    story.push(0)
    story.claim(0, worker="bob")
    sources = ((DEAD, 0), (Address("nothing"), 0), (Q, ids[0]))
    answer = story.do(2, Claim((Q,), "ann", count=2, rereads=sources))
    assert isinstance(answer, tuple)
    given = [(d.source, [c.id for c in d.tasks]) for d in answer if isinstance(d, Delivery)]
    assert given == [(DEAD, [dead]), (Address("nothing"), []), (Q, [ids[1]])]
    assert story.task(dead).lease_until == story.task(ids[1]).lease_until == moment(12)
    assert story.task(ids[2]).lease_until == moment(10)
    assert (story.task(ids[1]).claimed_at, story.task(ids[1]).attempts) == (moment(0), 1)


def test_rereading_gives_nothing_that_the_worker_has_let_go() -> None:
    """What it acked or nacked, and what lapsed, is not its own any more."""
    story = Story()
    acked, nacked, lapsed = (story.held(0) for _ in range(3))
    story.do(0, Ack("q", (acked,)))
    story.nack(0, nacked)
    story.do(9, Extend("q", "ann", (acked, nacked)))
    story.passes(10)
    assert story.task(lapsed).status is Status.AVAILABLE
    assert story.do(10, Claim((), "ann", count=9, rereads=((Q, 0),))) == (Delivery(Q, ()),)


def test_the_books_of_a_queue() -> None:
    """Every figure, once."""
    story = Story()
    own = QueueSettings(retry_delay=SECOND)
    story.configure(0, retry_delay=SECOND)
    done = story.held(0)
    story.do(0, Ack("q", (done,)))
    held = story.held(0, NewTask(b"held", ((b"a", b"b"),)))
    story.died(0)
    oldest = story.push(1)
    story.push(2, NewTask(priority=9))
    last = story.push(2, NewTask(b"last", delay=10 * SECOND))
    info = story.info(3)
    assert (info.at, info.name, info.settings, info.pushed) == (moment(3), "q", own, 6)
    assert (info.last_id, info.last_claimed, info.expired) == (last, held + 1, 0)
    assert (info.ready, info.scheduled, info.in_flight, info.done, info.dead) == (2, 1, 1, 1, 1)
    assert info.oldest_waiting == story.task(oldest).available_at
    assert info.first is not None
    assert info.last is not None
    assert (info.first.id, info.first.payload, info.first.headers) == (
        held,
        b"held",
        ((b"a", b"b"),),
    )
    assert (info.last.id, info.last.payload) == (last, b"last")

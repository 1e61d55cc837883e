"""Looks, answered on a connection that sees one moment of the database."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import assert_never

from ezra.sansio.errors import CommandError, Text
from ezra.sansio.model import (
    MAX_ID,
    Address,
    Entry,
    GroupDetails,
    GroupInfo,
    Held,
    PendingSummary,
    QueueDetails,
    QueueInfo,
    QueueName,
    QueueSettings,
    WorkerInfo,
)
from ezra.sansio.queue import changes
from ezra.sansio.queue.allowance import Room, showings
from ezra.sansio.queue.looks import (
    Answer,
    Details,
    Exists,
    FindGroup,
    Groups,
    Info,
    Infos,
    Length,
    Look,
    Names,
    Pending,
    PendingTasks,
    Range,
    Workers,
)
from ezra.sansio.queue.roster import Roster
from ezra.threaded.sqlite import statements_of_looks as statements
from ezra.threaded.sqlite.rows import Row, to_task
from ezra.threaded.sqlite.view import View

NEEDS_ROSTER = (Details, Groups, Workers)
"""Looks that only who leads the commit can answer: the roster is in nobody else's hands."""

ALL = -1
"""What LIMIT takes for no limit."""


OnQueues = Length | Exists | Names | Info | Infos
OnTasks = Range | Pending | PendingTasks
OnGroups = Details | Groups | Workers | FindGroup


def answer(view: View, look: Look) -> Answer:
    """Answer the look; its own docstring says how.

    Raises:
        CommandError: the look raises it.
    """
    match look:
        case Length() | Exists() | Names() | Info() | Infos():
            return _on_queues(view, look)
        case Range() | Pending() | PendingTasks():
            return _on_tasks(view, look)
        case Details() | Groups() | Workers() | FindGroup():
            return _on_groups(view, look)
        case _:
            assert_never(look)


# -- Queues ----------------------------------------------------------------------------------------


def _exists(view: View, address: Address) -> bool:
    lengths = _length(view, address.queue)
    return lengths is not None and (not address.dead or lengths[1] > 0)


def _on_queues(view: View, look: OnQueues) -> Answer:
    match look:
        case Length():
            waiting, dead = _length(view, look.address.queue) or (0, 0)
            return dead if look.address.dead else waiting
        case Exists():
            return look.answer(sum(_exists(view, address) for address in look.addresses))
        case Names():
            return view.all(_name, statements.NAMES, look.after, _limit(look.count))
        case Info():
            return _info(view, look.queue)
        case Infos():
            values = (look.after, _limit(look.count))
            return view.all(partial(_books, view), statements.ALL_BOOKS, *values)
        case _:
            assert_never(look)


def _length(view: View, queue: str) -> tuple[int, int] | None:
    """Return how many tasks wait and how many are dead; None where there is no such queue."""
    rows = view.rows(statements.LENGTH, queue)
    return (rows[0][0], rows[0][1]) if rows else None


def _name(row: Row) -> QueueName:
    number, name, dead = row
    return QueueName(number, name, dead == 1)


def _info(view: View, queue: str) -> QueueInfo:
    rows = view.rows(statements.BOOKS, queue)
    if not rows:
        raise CommandError(Text.NO_SUCH_KEY)
    queue_id = rows[0][0]
    (books,) = view.room.admit([_books(view, rows[0])])
    first = _first(view.entries(statements.FIRST_LIVE, queue_id))
    last = _first(view.entries(statements.LAST_LIVE, queue_id))
    return replace(books, first=first, last=last)


def _number(view: View, queue: str) -> int:
    """Return the number of a queue that exists."""
    return int(view.rows(statements.QUEUE, "", queue)[0][0])


def _books(view: View, row: Row) -> QueueInfo:
    queue_id = row[0]
    return QueueInfo(
        at=view.now,
        name=row[1],
        settings=QueueSettings(*row[2:7]),
        ready=row[7],
        scheduled=row[8],
        in_flight=row[9],
        done=row[10],
        dead=row[11],
        damaged=row[12],
        pushed=row[13],
        expired=row[14],
        groups=row[15],
        last_id=row[16],
        last_claimed=row[17],
        oldest_waiting=view.rows(statements.OLDEST_READY, queue_id)[0][0],
        first=None,
        last=None,
    )


# -- Tasks -----------------------------------------------------------------------------------------


def _on_tasks(view: View, look: OnTasks) -> Answer:
    match look:
        case Range():
            return _range(view, look)
        case Pending():
            return _pending(view, look)
        case PendingTasks():
            queue_id = _read_through(view, look.queue, look.group)
            return _held(view, queue_id, look)
        case _:
            assert_never(look)


def _range(view: View, look: Range) -> tuple[Entry, ...]:
    rows = view.rows(statements.QUEUE, "", look.address.queue)
    # Whoever asks from above the last id there can be asks for nothing, in numbers too large.
    if not rows or look.first > min(look.last, MAX_ID):
        return ()
    statement = {
        (False, False): statements.LIVE,
        (False, True): statements.LIVE_BACKWARDS,
        (True, False): statements.DEAD,
        (True, True): statements.DEAD_BACKWARDS,
    }[look.address.dead, look.backwards]
    values = (rows[0][0], look.first, min(look.last, MAX_ID), _limit(look.count))
    return view.entries(statement, *values)


def _pending(view: View, look: Pending) -> PendingSummary:
    queue_id = _read_through(view, look.queue, look.group)
    ((count, first, last),) = view.rows(statements.HELD_IN_ALL, queue_id)
    return PendingSummary(count, first, last, view.all(_holder, statements.HELD_BY, queue_id))


def _holder(row: Row) -> tuple[str, int]:
    worker, count = row
    return worker, count


def _held(view: View, queue_id: int, look: PendingTasks, times: int = 1) -> tuple[Held, ...]:
    """Return the tasks in flight that the look is for, of which the answer shows each `times`."""
    if look.first > min(look.last, MAX_ID):
        return ()
    values: list[object] = [queue_id, look.first, min(look.last, MAX_ID), view.now, look.min_idle]
    statement = statements.HELD
    if look.worker is not None:
        statement = statements.HELD_BY_ONE
        values.append(look.worker)

    def held(row: Row) -> Held:
        return changes.held(to_task(row, look.queue), view.now)

    return view.all(held, statement, *values, _limit(look.count), times=times)


def _limit(count: int | None) -> int:
    return ALL if count is None else max(0, count)


def _first(entries: Iterable[Entry]) -> Entry | None:
    return next(iter(entries), None)


# -- Groups and workers ----------------------------------------------------------------------------


def _on_groups(view: View, look: OnGroups) -> Answer:
    match look:
        case Details():
            return _details(view, look)
        case Groups():
            return _info(view, look.queue), _counted_groups(view, look.queue)
        case Workers():
            queue_id = _with_group(view, look.queue, look.group, Text.NO_SUCH_KEY)
            return view.now, _workers(view, look.queue, queue_id, look.group)
        case FindGroup():
            _with_group(view, look.queue, look.group, Text.XGROUP_NEEDS_QUEUE)
            return None
        case _:
            assert_never(look)


def _details(view: View, look: Details) -> QueueDetails:
    info = _info(view, look.queue)
    queue_id = _number(view, look.queue)
    most = MAX_ID if look.count is None else look.count
    entries = view.entries(statements.LIVE, queue_id, 0, MAX_ID, most)
    groups = view.all(_group, statements.GROUPS, queue_id)
    held = PendingTasks(look.queue, group="", count=most)
    return QueueDetails(
        info,
        entries,
        tuple(
            replace(group, workers=_workers(view, look.queue, queue_id, group.name))
            for group in groups
        ),
        _held(view, queue_id, held, showings(len(groups))),
    )


def _group(row: Row) -> GroupDetails:
    """Return a group, as yet without its workers."""
    return GroupDetails(row[0], ())


def _counted_groups(view: View, queue: str) -> tuple[GroupInfo, ...]:
    """Return the queue's groups, by name, with the number of their workers."""
    queue_id = _number(view, queue)

    def counted(row: Row) -> GroupInfo:
        with closing(view.connection.execute(statements.HELD_BY, (queue_id,))) as holders:
            workers = _roster(view).count(queue, row[0], (worker for worker, _ in holders))
        return GroupInfo(row[0], workers)

    return view.all(counted, statements.GROUPS, queue_id)


def _workers(view: View, queue: str, queue_id: int, group: str) -> tuple[WorkerInfo, ...]:
    """Return the group's workers by name: those who were seen, and those who hold tasks."""
    # Who holds tasks comes to less than what is answered of it, so what has no room here has none.
    holders = replace(view, room=Room(view.room.size)).all(_holder, statements.HELD_BY, queue_id)
    return view.room.admit(_roster(view).workers(queue, group, dict(holders)))


def _roster(view: View) -> Roster:
    if view.roster is None:
        raise TypeError("only who leads the commit knows the workers")
    return view.roster


def _with_group(view: View, queue: str, group: str, missing: str) -> int:
    """Return the queue's number; the group must be known in it.

    Raises:
        CommandError: there is no such queue (with the text `missing`), or no such group.
    """
    rows = view.rows(statements.QUEUE, group, queue)
    if not rows:
        raise CommandError(missing)
    queue_id, known = rows[0]
    if not known:
        raise CommandError(Text.NO_SUCH_GROUP.format(queue=queue, group=group))
    return int(queue_id)


def _read_through(view: View, queue: str, group: str) -> int:
    """Return the queue's number; the group must be known in it, and the text is the readers'."""
    rows = view.rows(statements.QUEUE, group, queue)
    if not rows or not rows[0][1]:
        raise CommandError(Text.NO_GROUP.format(queue=queue, group=group))
    return int(rows[0][0])

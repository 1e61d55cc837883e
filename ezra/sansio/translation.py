"""Where the two halves of the core meet: which operation, or which look, carries out which command.

Neither half knows the other; this one module knows both, for drivers that use both. Every command
about queues is exactly one of the two: an operation, which may change something, or a look, which
does not. So any commands in a row can be carried out as one transaction. What a command's `reply`
takes is, for each of these, the operation's or the look's own answer.
"""

from __future__ import annotations

from typing import Any

from ezra.sansio.commands import (
    Command,
    DbSize,
    Del,
    Exists,
    KeyFact,
    Keys,
    QueueGet,
    QueueList,
    QueueSet,
    RandomKey,
    Scan,
    XAck,
    XAckDel,
    XAdd,
    XAutoClaim,
    XCfgSet,
    XClaim,
    XDel,
    XDelEx,
    XGroupCreate,
    XGroupCreateConsumer,
    XGroupDelConsumer,
    XGroupDestroy,
    XGroupSetId,
    XInfoConsumers,
    XInfoGroups,
    XInfoStream,
    XLen,
    XNack,
    XPending,
    XRange,
    XReadGroup,
    XTrim,
    ZCount,
)
from ezra.sansio.errors import Text
from ezra.sansio.model import FOREVER
from ezra.sansio.queue import looks
from ezra.sansio.queue.looks import Look
from ezra.sansio.queue.operations import (
    Ack,
    AddWorker,
    Claim,
    ConfigureQueue,
    CreateQueue,
    DeleteQueues,
    Erase,
    Extend,
    Nack,
    Operation,
    Push,
    RemoveGroup,
    RemoveWorker,
    TakeIdle,
    TakeOver,
    Trim,
)


def as_operation(command: Command[Any], now: int) -> Operation | None:
    """Return the one operation that carries the command out, if it is one that may change a queue.

    Args:
        command: whatever a client sent.
        now: the moment from which a claim waits, Unix microseconds.
    """
    if isinstance(command, XReadGroup):
        return as_claim(command, now)
    return _of_tasks(command) or _of_others_tasks(command) or _of_queues(command)


def as_claim(command: XReadGroup, now: int) -> Claim:
    """Return the claim that the command is, waiting from `now` on if it blocks."""
    block = command.block
    deadline = block if block is None or block == FOREVER else now + block
    return Claim(
        command.claims,
        command.worker,
        command.count,
        deadline,
        command.no_ack,
        command.group,
        command.rereads,
        command.min_idle,
    )


def _of_tasks(command: Command[Any]) -> Operation | None:
    """Return the operation of a command by which a task comes, or goes as its worker says."""
    operation: Operation | None = None
    match command:
        case XAdd(address) if command.creates_only:
            operation = CreateQueue(address.queue)
        case XAdd(address, task, create):
            operation = Push(address.queue, task, create)
        case XAck(address, _, ids):
            operation = Ack(address.queue, ids)
        case XDel(address, ids):
            operation = Nack(address.queue, ids, counts_done=True)
        case XNack(address, _, ids, mode, delay, reason, attempt, attempts, short):
            operation = Nack(
                address.queue, ids, mode, delay, reason, attempt, attempts, strict=short
            )
        case XAckDel(address, _, ids):
            operation = Erase(address.queue, ids, acks=True)
    return operation


def _of_others_tasks(command: Command[Any]) -> Operation | None:
    """Return the operation of a command about tasks that lie with some worker, or with nobody."""
    operation: Operation | None = None
    match command:
        case XClaim() if command.wrong:
            pass
        case XClaim(address, group, worker, _, ids) if command.heartbeat:
            operation = Extend(address.queue, worker, ids, group)
        case XClaim(address, group, worker, min_idle, ids, attempts, force):
            operation = TakeOver(address.queue, group, worker, min_idle, ids, attempts, force)
        case XAutoClaim(address, group, worker, min_idle, start, count, just_ids):
            operation = TakeIdle(address.queue, group, worker, min_idle, start, count, just_ids)
        case XDelEx(address, ids):
            operation = Erase(address.queue, ids)
        case XTrim(address, keep, below, most):
            operation = Trim(address, keep, below, most)
    return operation


def _of_queues(command: Command[Any]) -> Operation | None:
    """Return the operation of a command about queues, their settings, groups and workers."""
    operation: Operation | None = None
    match command:
        case XGroupCreate(address, group, create):
            operation = CreateQueue(address.queue, group, create)
        case XGroupDestroy(address, group):
            operation = RemoveGroup(address.queue, group)
        case XGroupDelConsumer(address, group, worker):  # before its base, the next one
            operation = RemoveWorker(address.queue, group, worker)
        case XGroupCreateConsumer(address, group, worker):
            operation = AddWorker(address.queue, group, worker)
        case QueueSet(queue, changes):
            operation = ConfigureQueue(queue, changes)
        case XCfgSet(address, changes):
            operation = ConfigureQueue(address.queue, changes, create=False)
        case Del(queues) if queues:
            operation = DeleteQueues(queues)
    return operation


def as_look(command: Command[Any]) -> Look | None:
    """Return the one look that answers the command, if it is one that changes nothing."""
    return _at_tasks(command) or _at_queues(command) or _at_keys(command)


def _at_tasks(command: Command[Any]) -> Look | None:
    """Return the look at tasks, or at how many there are."""
    look: Look | None = None
    match command:
        case XLen(address):
            look = looks.Length(address)
        case XRange(address, _, _, 0):  # what is answered depends on the queue alone
            look = looks.Exists((address,))
        case XRange(address, first, last, count):
            look = looks.Range(address, first, last, count, command.backwards)
        case XClaim(address, group) if command.wrong:
            look = looks.Pending(address.queue, group)
        case XPending(address, group, None):
            look = looks.Pending(address.queue, group)
        case XPending(address, group, held) if held:
            look = looks.PendingTasks(
                address.queue,
                group,
                held.first,
                held.last,
                held.count,
                held.worker,
                held.min_idle,
            )
    return look


def _at_queues(command: Command[Any]) -> Look | None:
    """Return the look at a queue's books, groups and workers."""
    look: Look | None = None
    match command:
        case XInfoStream(address) if command.wrong:
            look = looks.Exists((address,))
        case XInfoStream(address, None):
            look = looks.Info(address.queue)
        case XInfoStream(address, count):
            look = looks.Details(address.queue, count)
        case XInfoGroups(address):
            look = looks.Groups(address.queue)
        case XInfoConsumers(address, group):
            look = looks.Workers(address.queue, group)
        case XGroupSetId(address, group):
            look = looks.FindGroup(address.queue, group)
        case QueueGet(queue):
            look = looks.Info(queue)
        case QueueList():
            look = looks.Infos()
    return look


def _at_keys(command: Command[Any]) -> Look | None:
    """Return the look at which queues there are."""
    look: Look | None = None
    match command:
        case Del((), dead):
            look = looks.Exists(dead, command.refusal)
        case Exists(addresses):
            look = looks.Exists(addresses)
        case ZCount(address):
            look = looks.Exists((address,), Text.WRONG_TYPE)
        case KeyFact(address):
            look = looks.Exists((address,))
        case Scan(after, _, count):
            look = looks.Names(after, count)
        case RandomKey():
            look = looks.Names(count=1)
        case Keys() | DbSize():
            look = looks.Names()
    return look

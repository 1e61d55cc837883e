"""Where the two halves of the core meet: which operation carries out which command.

Neither half knows the other; this one module knows both, for drivers that use both. What a command
answers is, for each of these, the operation's own result.
"""

from __future__ import annotations

from typing import Any

from ezra.sansio.commands import Command, XAck, XAdd, XDel, XGroupCreate, XNack, XReadGroup
from ezra.sansio.model import FOREVER
from ezra.sansio.queue.operations import (
    Ack,
    Claim,
    CreateQueue,
    Nack,
    Operation,
    Push,
    Reread,
)


def as_operation(command: Command[Any], now: int) -> Operation | None:
    """Return the one operation that carries the command out, if there is one.

    Args:
        command: whatever a client sent. One that looks, one about the connection, and a claim that
            also reads the worker's own tasks again have no operation of their own.
        now: the moment from which a claim waits, Unix microseconds.
    """
    operation: Operation | None = None
    match command:
        case XAdd(address, task, create):
            operation = Push(address.queue, task, create)
        case XReadGroup() if not command.rereads:
            operation = as_claim(command, now)
        case XAck(address, _, ids):
            operation = Ack(address.queue, ids)
        case XDel(address, ids):
            operation = Nack(address.queue, ids)
        case XNack(address, _, ids, mode, delay, reason, attempt, attempts):
            operation = Nack(address.queue, ids, mode, delay, reason, attempt, attempts)
        case XGroupCreate(address, group, create):
            operation = CreateQueue(address.queue, group, create)
    return operation


def as_claim(command: XReadGroup, now: int, *, taken: int = 0) -> Claim:
    """Return the claim of what the command reads with `>`, waiting from `now` on if it blocks.

    Args:
        command: the claim on the wire.
        now: Unix microseconds.
        taken: how many tasks its count has been used for already.
    """
    block = command.block
    deadline = block if block is None or block == FOREVER else now + block
    count = command.count - taken
    return Claim(command.claims, command.worker, count, deadline, command.no_ack)


def as_reread(command: XReadGroup) -> Reread:
    """Return the operation that reads the worker's own tasks again; a claim may follow it."""
    return Reread(command.rereads, command.worker, command.count)

"""A whole task queue server on asyncio, made of EZRA's two pure halves.

`ezra.sansio.connection` turns a client's bytes into commands and results into bytes;
`ezra.sansio.queue` knows every task, and who waits for one. Neither does any I/O or looks at a
clock: that is all that is left to do here. Tasks live as long as the process.

    python examples/asyncio_server.py [port]

With a QUEUE_PASSWORD in its environment, clients have to say that first.

docs/embedding.md walks through it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any, TypeAlias, cast

from ezra import __version__
from ezra.sansio import commands
from ezra.sansio.access import Access
from ezra.sansio.connection import BadCommand, Closed, Connection, Signal
from ezra.sansio.errors import CommandError, RemoteProtocolError, Text
from ezra.sansio.execution import as_step, as_transact, fill
from ezra.sansio.host import Facts, Host, Usage
from ezra.sansio.model import FOREVER, SECOND, Delivery, QueueInfo
from ezra.sansio.queue import looks, operations
from ezra.sansio.queue.machine import QueueMachine, Waiting
from ezra.sansio.resp.limits import Limits
from ezra.sansio.session import ServerIdentity, Session

IDENTITY = ServerIdentity(__version__)
ACCESS = Access.of(os.environ.get("QUEUE_PASSWORD"))
LIMITS = Limits()
RECEIVE_SIZE = 64 * 1024  # bytes
LINGER = 1.0  # seconds for a client to read the last reply and hang up

Deliveries: TypeAlias = tuple[Delivery, ...]


def now() -> int:
    """Return the present moment in Unix microseconds, as the queue counts time."""
    return time.time_ns() // 1_000


class Queue:
    """The pure queue in an event loop: it gets the time, and those who wait get a future."""

    def __init__(self) -> None:
        self._machine = QueueMachine()
        self._served: dict[int, asyncio.Future[Deliveries]] = {}
        self._loop = asyncio.get_running_loop()
        self._alarm = self._loop.call_later(0, self._ring)

    def apply(self, step: operations.Operation | looks.Look) -> operations.Outcome | Waiting:
        """Carry out an operation, or look at something, now; return what came of it."""
        try:
            if isinstance(step, looks.Look):
                return self._machine.look(step, now())
            return self._machine.apply(step, now())
        except CommandError as error:
            return error
        finally:
            self._settle()

    def served(self, ticket: int) -> asyncio.Future[Deliveries]:
        """Return the future of a claim that is parked. To be called as soon as it is."""
        return self._served.setdefault(ticket, self._loop.create_future())

    def cancel(self, ticket: int) -> None:
        """Let a parked claim go with nothing, unless it has been served already."""
        self._machine.cancel(ticket)
        if ticket in self._served:
            self._served.pop(ticket).set_result(())

    def _ring(self) -> None:
        """Let happen what is due."""
        self._machine.advance(now())
        self._settle()

    def _settle(self) -> None:
        """Answer whom the last step served, and sleep until there is something to do again."""
        for woken in self._machine.woken():
            self._served.pop(woken.ticket).set_result(woken.deliveries)
        self._alarm.cancel()
        due = self._machine.next_due()
        if due < FOREVER:
            self._alarm = self._loop.call_later((due - now()) / SECOND, self._ring)


class Server(Host):
    """What INFO, CLIENT LIST and their like ask of a driver; this one keeps it short."""

    def __init__(self, port: int, queue: Queue) -> None:
        self._queue = queue
        self._numbers = itertools.count(1)
        self._clients: dict[int, tuple[Session, asyncio.Task[None]]] = {}
        self._facts = Facts(
            now(), os.getpid(), "0" * 40, sys.platform, sys.version, "127.0.0.1", port,
            max_clients=0, max_payload=LIMITS.max_bulk, engine="memory", synchronous="off",
            data_dir="",
        )  # fmt: skip

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give a client that has just come a task of its own."""
        session = Session(next(self._numbers), IDENTITY, access=ACCESS, connected_at=now())
        task = asyncio.create_task(Client(session, self._queue, self, reader, writer).run())
        self._clients[session.id] = session, task
        task.add_done_callback(lambda _: self._clients.pop(session.id))

    @property
    def facts(self) -> Facts:
        """What does not change."""
        return self._facts

    def now(self) -> int:
        """Return the present moment."""
        return now()

    def usage(self) -> Usage:
        """Return what was used; this server does not count."""
        return Usage(0, 0, 0, 0, 0, 0, 0, 0, 0)

    def queues(self) -> tuple[QueueInfo, ...]:
        """Return the books of all queues."""
        return cast(tuple[QueueInfo, ...], self._queue.apply(looks.Infos()))

    def clients(self) -> list[Session]:
        """Return who is connected."""
        return [session for session, _ in self._clients.values()]

    def kill(self, client: Session) -> None:
        """End a client's connection."""
        self._clients[client.id][1].cancel()

    def unblock(self, client: Session, *, error: bool) -> bool:  # noqa: ARG002 - Host's
        """Wake nobody."""
        return False

    def back_up(self, name: str) -> tuple[str, int]:  # noqa: ARG002 - Host's
        """There is no file to back up."""
        raise CommandError(Text.BACKUP_OF_MEMORY)

    def reset_counters(self) -> None:
        """Nothing is counted."""


class Client:
    """One connection, from its first byte to its last: each command is answered before the next."""

    def __init__(
        self,
        session: Session,
        queue: Queue,
        server: Server,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._session = session
        self._connection = Connection(session, LIMITS)
        self._queue = queue
        self._server = server
        self._reader = reader
        self._writer = writer
        # A reply counts as sent when the kernel has all of it, so `drain` has to wait for that.
        writer.transport.set_write_buffer_limits(high=0)

    async def run(self) -> None:
        """Serve the client until either side ends it."""
        try:
            while not self._connection.closing:
                await self._turn()
            await self._part()
        except OSError:
            pass  # the client has gone; what it was to get is released
        finally:
            self._writer.close()

    async def _turn(self) -> None:
        """Answer one command, or receive more."""
        try:
            event = self._connection.next_event()
        except RemoteProtocolError as farewell:
            await self._send(farewell)
            return
        match event:
            case Signal.NEED_DATA:
                self._connection.receive_data(await self._reader.read(RECEIVE_SIZE))
            case Closed() | Signal.PAUSED:
                pass  # closing; and nothing is ever left unanswered here, so it does not pause
            case BadCommand(error):
                await self._send(error)
            case _:
                result = self._carry_out(event)
                if isinstance(result, Waiting):
                    result = await self._wait(result.ticket)
                await self._send(result)

    def _carry_out(self, command: commands.Command[Any]) -> object:
        """Return the command's result, the error that takes its place, or `Waiting`."""
        match command:
            case commands.ConnectionCommand():
                return command.answer(self._session)
            case commands.ServerCommand():
                return command.answer(self._server, self._session)
            case commands.Exec():
                return self._transact(command)
            case _:
                return self._queue.apply(as_step(command, now()))

    def _transact(self, command: commands.Exec) -> object:
        """Carry out all that was queued since MULTI as one, then answer what is not the queue's."""
        outcome = self._queue.apply(as_transact(command, now()))
        if isinstance(outcome, CommandError):
            return outcome  # and nothing has changed
        return fill(command, cast(tuple[object, ...], outcome), self._carry_out)

    async def _wait(self, ticket: int) -> Deliveries:
        """Wait for the claim's turn, as long as its client is there."""
        served = self._queue.served(ticket)
        watch = asyncio.create_task(self._watch(ticket))
        deliveries = await asyncio.shield(served)
        watch.cancel()
        await asyncio.wait({watch})  # then the reader is free again
        return deliveries

    async def _watch(self, ticket: int) -> None:
        """Keep what a blocked client sends; give it up if it hangs up, or sends too much."""
        kept = 0
        with suppress(OSError):
            while kept < LIMITS.max_request and (data := await self._reader.read(RECEIVE_SIZE)):
                self._connection.receive_data(data)
                kept += len(data)
        self._writer.transport.abort()  # no reply can be sent now, so what it holds is released
        self._queue.cancel(ticket)

    async def _send(self, result: object) -> None:
        """Send a reply; release the tasks in it if that cannot be done."""
        self._writer.write(self._connection.send(result))
        try:
            await self._writer.drain()
        except OSError:
            lost = self._connection.send_failed()
            claims = ((task.id, task.claim) for delivery in lost for task in delivery.tasks)
            self._queue.apply(operations.Release(tuple(claims)))
            raise

    async def _part(self) -> None:
        """Say the last word and wait shortly: closing on unread bytes could take it back."""
        self._writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while await self._reader.read(RECEIVE_SIZE):
                    pass


async def main(port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    serving = Server(port, Queue())
    listening = await asyncio.start_server(serving.serve, "127.0.0.1", port)
    print("serves {}:{}".format(*listening.sockets[0].getsockname()), flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    listening.close()  # and `asyncio.run` ends the clients


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 42002))

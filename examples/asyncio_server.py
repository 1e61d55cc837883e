"""A whole task queue server on asyncio, made of EZRA's two pure halves.

`ezra.sansio.connection` turns a client's bytes into commands and results into bytes;
`ezra.sansio.queue` knows every task, and who waits for one. Neither does any I/O or looks at a
clock: that is all that is left to do here. Tasks live as long as the process.

    python examples/asyncio_server.py [port]

docs/embedding.md walks through it.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
import time
from contextlib import suppress
from typing import Any, TypeAlias, cast

from ezra import __version__
from ezra.sansio import commands
from ezra.sansio.connection import BadCommand, Closed, Connection, Signal
from ezra.sansio.errors import CommandError, RemoteProtocolError
from ezra.sansio.model import FOREVER, SECOND, Delivery, QueueInfo
from ezra.sansio.queue import operations
from ezra.sansio.queue.machine import QueueMachine, Waiting
from ezra.sansio.resp.limits import Limits
from ezra.sansio.session import ServerIdentity, Session
from ezra.sansio.translation import as_claim, as_operation, as_reread

IDENTITY = ServerIdentity(__version__)
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

    def apply(self, operation: operations.Operation) -> operations.Outcome | Waiting:
        """Carry the operation out now; return what came of it."""
        try:
            return self._machine.apply(operation, now())
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

    def length(self, queue: str, *, dead: bool) -> int:
        """Return how many tasks wait, or are dead."""
        return self._machine.length(queue, dead=dead)

    def info(self, queue: str) -> tuple[QueueInfo, int] | None:
        """Return the queue's books and the moment that they are of."""
        moment = now()
        info = self._machine.info(queue, moment)
        self._settle()
        return None if info is None else (info, moment)

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


class Client:
    """One connection, from its first byte to its last: each command is answered before the next."""

    def __init__(
        self,
        session: Session,
        queue: Queue,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._session = session
        self._connection = Connection(session, LIMITS)
        self._queue = queue
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
            case commands.XLen(address):
                return self._queue.length(address.queue, dead=address.dead)
            case commands.XInfoStream(address):
                return self._queue.info(address.queue)
            case commands.XReadGroup() if command.rereads:
                return self._read_again(command)
            case _:
                operation = as_operation(command, now())
                if operation is None:
                    return CommandError(f"ERR {command.SPEC.name} is not served by this example")
                return self._queue.apply(operation)

    def _read_again(self, command: commands.XReadGroup) -> Deliveries:
        """Give the worker its own tasks again, then new ones up to the count. This never waits."""
        own = cast(Deliveries, self._queue.apply(as_reread(command)))
        taken = sum(len(delivery.tasks) for delivery in own)
        return own + cast(Deliveries, self._queue.apply(as_claim(command, now(), taken=taken)))

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
            claims = ((task.id, task.attempts) for delivery in lost for task in delivery.tasks)
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
    queue, numbers = Queue(), itertools.count(1)
    clients: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(next(numbers), IDENTITY)
        client = asyncio.create_task(Client(session, queue, reader, writer).run())
        clients.add(client)
        client.add_done_callback(clients.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("serves {}:{}".format(*server.sockets[0].getsockname()), flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    server.close()  # and `asyncio.run` ends the clients


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 42002))

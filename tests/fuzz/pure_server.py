"""A whole EZRA without sockets, threads or a clock: bytes in, bytes out, for any number of clients.

It drives the core's two halves as `ezra.threaded` does, a turn at a time: read every complete
request, carry them all out, send the replies. What arrives for a client that is blocked waits, as
it would in its socket. Nothing happens by itself: `advance` moves the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from ezra.sansio.commands import (
    Command,
    ConnectionCommand,
    Exec,
    ServerCommand,
)
from ezra.sansio.connection import BadCommand, Closed, Connection, Read, Signal
from ezra.sansio.errors import CommandError, RemoteProtocolError
from ezra.sansio.execution import as_step, as_transact, fill
from ezra.sansio.model import SECOND, Defaults, Delivery, QueueInfo
from ezra.sansio.queue import looks
from ezra.sansio.queue.machine import QueueMachine, Waiting
from ezra.sansio.queue.operations import Operation, Release
from ezra.sansio.resp.limits import Limits
from ezra.sansio.session import ServerIdentity, Session
from tests.property.fake_clock import START
from tests.property.fake_host import FakeHost

LIMITS: Final = Limits(
    max_bulk=512, max_announced_bulk=4096, max_rest=2048, max_line=512, max_words=64
)
"""So near that a fuzzer meets them."""

DEFAULTS: Final = Defaults(visibility_timeout=SECOND, max_attempts=2, retention=3 * SECOND)
"""Under which everything happens within a few steps of the clock."""


class PureServer(FakeHost):
    """One queue machine, and who is connected to it."""

    def __init__(self, limits: Limits = LIMITS, defaults: Defaults = DEFAULTS) -> None:
        super().__init__()
        self.limits = limits
        self.machine = QueueMachine(defaults)
        self.moment = START
        self.present: list[PureClient] = []
        self.acting: PureClient | None = None
        """Whose command is being carried out."""
        self._next_client = 1

    def client(self) -> PureClient:
        """Return a client that has just connected."""
        client = PureClient(self, self._next_client)
        self._next_client += 1
        self.present.append(client)
        return client

    def advance(self, microseconds: int) -> None:
        """Let time pass, and serve whom that serves."""
        self.moment += microseconds
        self.machine.advance(self.moment)
        self.settle()

    def carry_out(self, step: Operation | looks.Look) -> object:
        """Carry out one operation or look; a `CommandError` is returned."""
        try:
            if isinstance(step, looks.Look):
                return self.machine.look(step, self.moment)
            return self.machine.apply(step, self.moment)
        except CommandError as error:
            return error

    def settle(self) -> None:
        """Answer the parked claims that were served, until nobody is any more."""
        while woken := self.machine.woken():
            for each in woken:
                waiting = [one for one in self.present if one.ticket == each.ticket]
                if waiting:
                    waiting[0].wake(each.deliveries)
                else:
                    self.release(each.deliveries)  # it has gone meanwhile

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """Undo claims whose replies nobody received."""
        claims = tuple((task.id, task.claim) for given in deliveries for task in given.tasks)
        if claims:
            self.carry_out(Release(claims))

    # What the commands about the server ask.

    def now(self) -> int:
        """Return the present moment."""
        return self.moment

    def queues(self) -> Sequence[QueueInfo]:
        """Return the books of all queues."""
        return self.machine.look(looks.Infos(), self.moment)  # type: ignore[return-value]  # an Infos' answer

    def clients(self) -> Sequence[Session]:
        """Return who is connected."""
        return [client.session for client in self.present]

    def kill(self, client: Session) -> None:
        """Have a client's connection end: at once, or after its reply where it asks itself."""
        killed = self._of(client)
        if killed is self.acting:
            killed.killed = True
        else:
            killed.cut()

    def unblock(self, client: Session, *, error: bool) -> bool:  # noqa: ARG002 - Host's
        """End a client's wait with nothing."""
        blocked = self._of(client)
        if blocked.ticket is None:
            return False
        self.machine.cancel(blocked.ticket)
        blocked.wake(())
        return True

    def _of(self, session: Session) -> PureClient:
        return next(client for client in self.present if client.session is session)


class PureClient:
    """One client, and the server's side of its connection."""

    def __init__(self, server: PureServer, number: int) -> None:
        self.session = Session(number, ServerIdentity("1.2.3"))
        self.connection = Connection(self.session, server.limits)
        self.ticket: int | None = None
        """Of its parked claim, while it is blocked."""
        self.killed = False
        self.broken = False
        self.replies = bytearray()
        self.over = False
        self._server = server
        self._arriving: list[bytes] = []  # while it is blocked

    def send(self, data: bytes) -> None:
        """Have the bytes arrive, and everything that follows from them happen; `b""` hangs up."""
        if self.over:
            return
        self._arriving.append(data)
        if self.ticket is not None and not data:
            self._leave()  # a blocked client that has ended counts as gone
        self._go_on()
        self._server.settle()

    def vanish(self) -> None:
        """Have the connection break: the server finds out when it replies the next time."""
        self.broken = True

    def cut(self) -> None:
        """End the connection at once, as CLIENT KILL does."""
        self._leave()

    def wake(self, deliveries: tuple[Delivery, ...]) -> None:
        """Answer the claim that it waits with."""
        self.ticket = None
        self.session.blocked = False
        self._reply(deliveries)
        self._go_on()

    def _go_on(self) -> None:
        while self.ticket is None and not self.over:
            if not self._turn() and not self._receive():
                return

    def _receive(self) -> bool:
        if not self._arriving:
            return False
        self.connection.receive_data(self._arriving.pop(0))
        return True

    def _turn(self) -> bool:
        """Carry out what has arrived whole; tell whether there was anything."""
        requests, end = self._arrived()
        for request in requests:
            result = self._carry_out(request)
            if isinstance(result, Waiting):
                self.ticket, self.session.blocked = result.ticket, True
                return True
            self._reply(result)
        if isinstance(end, RemoteProtocolError):
            self._reply(end)
        if isinstance(end, Closed) or self.connection.closing or self.killed:
            self._leave()
        return bool(requests)

    def _arrived(self) -> tuple[list[Read], Signal | Closed | RemoteProtocolError]:
        requests: list[Read] = []
        while True:
            try:
                event = self.connection.next_event()
            except RemoteProtocolError as error:
                return requests, error
            if isinstance(event, Signal | Closed):
                return requests, event
            requests.append(event)

    def _carry_out(self, request: Read | Command[Any]) -> object:
        self._server.acting = self
        match request:
            case BadCommand(error):
                return error
            case ConnectionCommand():
                return request.answer(self.session)
            case ServerCommand():
                return request.answer(self._server, self.session)
            case Exec():
                return self._transact(request)
            case _:
                return self._server.carry_out(as_step(request, self._server.moment))

    def _transact(self, command: Exec) -> object:
        outcome = self._server.carry_out(as_transact(command, self._server.moment))
        if isinstance(outcome, CommandError):
            return outcome
        return fill(command, cast(tuple[object, ...], outcome), self._carry_out)

    def _reply(self, result: object) -> None:
        if self.over:
            return
        self.replies += self.connection.send(result)
        if self.broken:
            self._leave()
            self._server.release(self.connection.send_failed())
            self._server.settle()

    def _leave(self) -> None:
        if self.over:
            return
        self.over = True
        self._server.present.remove(self)
        if self.ticket is not None:
            self._server.machine.cancel(self.ticket)

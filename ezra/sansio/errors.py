"""What can go wrong, and every text that says so on the wire.

    EzraError
    ├── ProtocolError                 the bytes or the calls were out of order (abstract)
    │   ├── LocalProtocolError        whoever drives the core called it wrongly
    │   └── RemoteProtocolError       the peer sent what is not RESP: answered, then closed
    ├── CommandError                  a wrong command: an error *reply*, the connection goes on
    ├── IllegalTransition             a task was asked to do what its lifecycle does not know
    └── EngineError                   the engine could not do its part (abstract)
        ├── EngineClosed              it is shutting down: nothing was done
        ├── StorageFull               the disk is full: nothing was done
        └── OutcomeUnknown            the storage failed: the change may be there or not
"""

from __future__ import annotations


class EzraError(Exception):
    """Whatever EZRA raises on purpose."""


class ProtocolError(EzraError):
    """The conversation broke down. Only its two kinds are raised."""


class LocalProtocolError(ProtocolError):
    """This side's driver made a call that the connection's state does not allow."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that are not RESP. Its text is the error reply to send, then close."""


class CommandError(EzraError):
    """A command that cannot be carried out. Its text is the error reply, prefix included."""


class IllegalTransition(EzraError):
    """A (status, event) pair that the lifecycle's table does not hold."""


class EngineError(EzraError):
    """The engine could not do its part. Its text is the error reply, prefix included."""


class EngineClosed(EngineError):
    """The engine is shutting down; the operation was not carried out."""


class StorageFull(EngineError):
    """The disk is full; the operation was not carried out."""


class OutcomeUnknown(EngineError):
    """The storage failed while the operation was on its way to disk: it may be there or not."""


class Text:
    """Every error text that goes on the wire. Where Redis has one, it is Redis' own, to the byte."""

    ID_TOO_SMALL = (
        "ERR The ID specified in XADD is equal or smaller than the target stream top item"
    )
    ID_TOO_FAR = (
        "ERR invalid id: more than a day ahead of the server's clock; "
        "use * to have the server make one"
    )
    XGROUP_NEEDS_QUEUE = (
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want "
        "to use the MKSTREAM option to create an empty stream automatically."
    )
    SHUTTING_DOWN = "ERR the server is shutting down; nothing was done"
    STORAGE_FULL = "ERR the disk is full: nothing was done; free some space and try again"
    OUTCOME_UNKNOWN = (
        "UNKNOWN the storage failed while this was written: it may be stored or not; "
        "the server stops, ask again when it is back"
    )

"""Every command that EZRA knows, and how to make one from the words on the wire."""

from ezra.sansio.commands.base import Command, CommandSpec
from ezra.sansio.commands.claims import MAX_CLAIM, MAX_SOURCES, XReadGroup
from ezra.sansio.commands.client import ClientGetName, ClientId, ClientSetInfo, ClientSetName
from ezra.sansio.commands.connection import (
    ConnectionCommand,
    Echo,
    Greeting,
    Hello,
    Ping,
    Quit,
    Select,
)
from ezra.sansio.commands.groups import XGroupCreate
from ezra.sansio.commands.inspection import XInfoStream, XLen
from ezra.sansio.commands.lookup import parse
from ezra.sansio.commands.nacks import XDel, XNack
from ezra.sansio.commands.queues import QueueGet, QueueList, QueueSet
from ezra.sansio.commands.table import (
    TABLE,
    CommandAll,
    CommandCount,
    CommandDocs,
    CommandInfo,
    CommandList,
)
from ezra.sansio.commands.tasks import XAck, XAdd

__all__ = [
    "MAX_CLAIM",
    "MAX_SOURCES",
    "TABLE",
    "ClientGetName",
    "ClientId",
    "ClientSetInfo",
    "ClientSetName",
    "Command",
    "CommandAll",
    "CommandCount",
    "CommandDocs",
    "CommandInfo",
    "CommandList",
    "CommandSpec",
    "ConnectionCommand",
    "Echo",
    "Greeting",
    "Hello",
    "Ping",
    "QueueGet",
    "QueueList",
    "QueueSet",
    "Quit",
    "Select",
    "XAck",
    "XAdd",
    "XDel",
    "XGroupCreate",
    "XInfoStream",
    "XLen",
    "XNack",
    "XReadGroup",
    "parse",
]

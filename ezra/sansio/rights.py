"""What each role may do: one table, by the commands' names. What is not in it is refused.

The role `default` may do everything; a command that is new is refused to the others until somebody
puts it here. Who pushes sees nothing of what others pushed: no task, no queue's books, no name.
Who works takes tasks and looks at them, but neither adds one nor takes one out of the world.
"""

from __future__ import annotations

from collections.abc import Mapping

from ezra.sansio.access import Role
from ezra.sansio.errors import Text

STRANGERS = frozenset({"AUTH", "HELLO", "QUIT", "RESET"})
"""What can be said before the password."""

ABOUT_ONESELF = frozenset(
    {
        *("PING", "ECHO", "SELECT"),
        *("CLIENT SETNAME", "CLIENT GETNAME", "CLIENT ID", "CLIENT INFO", "CLIENT SETINFO"),
        *("CLIENT REPLY", "CLIENT NO-EVICT", "CLIENT NO-TOUCH", "CLIENT HELP"),
        *("CLIENT TRACKING", "CLIENT TRACKINGINFO", "CLIENT GETREDIR", "CLIENT CACHING"),
        *("COMMAND", "COMMAND COUNT", "COMMAND LIST", "COMMAND INFO", "COMMAND DOCS"),
        *("COMMAND GETKEYS", "COMMAND HELP"),
        *("MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"),
        *("INFO", "TIME", "WAIT", "WAITAOF", "ROLE", "CLUSTER", "ACL WHOAMI"),
    }
)
"""What a client library asks and says to get along with the server. INFO leaves out for the lesser
roles what is nobody's business but the server's owner's."""

PUSHING = frozenset({"XADD", "XGROUP CREATE"})
"""XGROUP CREATE makes a name known and hides no task: frameworks' producers (taskiq, Symfony) send
it first."""

WORKING = frozenset(
    {
        *("XREADGROUP", "XACK", "XNACK", "XDEL", "XACKDEL", "XCLAIM", "XAUTOCLAIM"),
        *("XPENDING", "XLEN", "XRANGE", "XREVRANGE", "EXISTS", "TYPE", "EZRA.QUEUE GET"),
        *("XINFO STREAM", "XINFO GROUPS", "XINFO CONSUMERS", "XINFO HELP"),
        *("XGROUP CREATE", "XGROUP CREATECONSUMER", "XGROUP DELCONSUMER"),
        *("XGROUP SETID", "XGROUP HELP"),
    }
)
"""XDEL is a nack here, and XGROUP SETID changes nothing. Of EZRA.QUEUE GET a worker learns how long
it may hold a task."""

RIGHTS: Mapping[Role, frozenset[str]] = {
    Role.NOBODY: STRANGERS,
    Role.PUSH: STRANGERS | ABOUT_ONESELF | PUSHING,
    Role.WORK: STRANGERS | ABOUT_ONESELF | WORKING,
}
"""By role the names of the commands, as the table of commands has them."""


def may(role: Role, command: str) -> bool:
    """Tell whether the role may send the command of this name."""
    return role is Role.DEFAULT or command in RIGHTS[role]


def wire_name(command: str) -> str:
    """Return a command's name as Redis' replies and error texts write it: `xgroup|create`."""
    return command.lower().replace(" ", "|")


def refusal(role: Role, command: str) -> str:
    """Return the error for a role that may not send the command of this name; empty: it may."""
    if role is Role.DEFAULT or command in RIGHTS[role]:  # as `may`; each command comes by here
        return ""
    if role is not Role.NOBODY:
        return Text.NO_PERMISSION.format(user=role.value, name=wire_name(command))
    # EXEC also says what has become of its transaction, though a stranger has none.
    return Text.EXEC_NO_AUTH if command == "EXEC" else Text.NO_AUTH

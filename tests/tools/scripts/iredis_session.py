"""iredis: a session from a pipe: push, look, PEEK (its own command), INFO, CLIENT LIST."""

from __future__ import annotations

import subprocess

from tests.tools.scripts.from_outside import PATIENCE, Address, address, program

SESSION = """\
XADD mails * payload hello
XLEN mails
XRANGE mails - +
XINFO STREAM mails
SCAN 0
TYPE mails
PEEK mails
INFO
CLIENT LIST
"""


def main(server: Address) -> None:
    """Type the session and look for what must appear."""
    host, port = server
    done = subprocess.run(
        [program("iredis"), "--no-rainbow", "-h", host, "-p", str(port)],
        input=SESSION,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[1:4] == ["1", lines[0], "payload"], f"Error: {lines[:4]} after the push"
    for expected in ("key: stream (stream)", '"last-generated-id"', "redis_mode:", "addr="):
        assert expected in done.stdout, f"Error: no {expected} in what it printed"
    assert "unknown command" not in done.stdout, "Error: a command was refused"


if __name__ == "__main__":
    main(address())

"""redis-cli's special modes: what lists, samples, watches, measures and loads."""

from __future__ import annotations

import json
import re
import subprocess

from tests.tools.scripts.from_outside import PATIENCE, Address, address, fill, program


def main(server: Address) -> None:
    """Go through the modes; each must say what was put there."""
    fill(server)
    assert sorted(_run(server, "--scan").split()) == ["app:orders", "mails"]
    assert _run(server, "--scan", "--pattern", "app:*").split() == ["app:orders"]
    biggest = _run(server, "--bigkeys")
    assert "Sampled 2 keys in the keyspace!" in biggest, biggest
    assert "2 streams with" in biggest, biggest
    assert "Sampled 2 keys in the keyspace!" in _run(server, "--memkeys")

    lines = 'XADD loads * payload "hi there"\nXADD loads * payload 2\n'
    loaded = _run(server, "--pipe", text=lines)
    assert "errors: 0, replies: 2" in loaded, loaded
    info = json.loads(_run(server, "-3", "--json", "XINFO", "STREAM", "loads"))
    assert info["length"] == 2, info
    rows = _run(server, "--csv", "XRANGE", "loads", "-", "+").split(",")
    assert rows[1:3] == ['"payload"', '"hi there"'], rows
    # Three queues, the memory in use, the clients, of which none is blocked.
    _watch(server, "--stat", "-i", "0.1", lines=3, expected=r"3 +[\d.]+[KMG] +\d+ +0 .*")


def _run(server: Address, *words: str, text: str = "") -> str:
    return subprocess.run(
        _command(server, *words),
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    ).stdout


def _watch(server: Address, *words: str, lines: int, expected: str) -> None:
    """Run a mode that ends only when it is interrupted; its n-th line must look like this."""
    process = subprocess.Popen(
        [program("stdbuf"), "-oL", *_command(server, *words)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.terminate()
    assert re.fullmatch(expected, said[-1].strip()), f"Error: {words} said {said}"


def _command(server: Address, *words: str) -> list[str]:
    host, port = server
    return [program("redis-cli"), "-h", host, "-p", str(port), *words]


if __name__ == "__main__":
    main(address())

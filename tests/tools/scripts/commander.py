"""redis-commander: what its pages fetch: the tree of keys, one stream, the server, the console."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from tests.tools.scripts.from_outside import (
    Address,
    address,
    fetch_json,
    fill,
    free_port,
    program,
    running,
)

COMMANDER = "node_modules/redis-commander/bin/redis-commander.js"


def main(server: Address) -> None:
    """Fetch each of them and compare with what was put there."""
    fill(server)
    host, port = server
    listen = free_port()
    words = [program("node"), str(Path.home() / COMMANDER), "--noload", "--nosave"]
    redis = ["--redis-host", host, "--redis-port", str(port)]
    with running([*words, *redis, "--address", "127.0.0.1", "--port", str(listen)]):
        _look(f"http://127.0.0.1:{listen}", quote(f"R:{host}:{port}:0"))


def _look(site: str, connection: str) -> None:
    # While it does not serve yet, or is not connected yet, the tree is asked for again.
    [known] = fetch_json(f"{site}/connections")["connections"]
    assert known["conId"] == connection.replace("%3A", ":"), known

    root = fetch_json(f"{site}/apiv2/keystree/{connection}")["data"]
    assert [node["keyName"] for node in root] == ["app:", "mails"], root
    assert root[1]["rel"] == "stream", root
    [leaf] = fetch_json(f"{site}/apiv2/keystree/{connection}/app:")["data"]
    assert leaf["text"] == "orders (1)", leaf

    stream = fetch_json(f"{site}/apiv2/key/{connection}/mails")
    assert (stream["type"], stream["ttl"]) == ("stream", -1), stream
    # It shows of each task only the first field.
    assert [(item["field"], item["value"]) for item in stream["items"]] == [("payload", "hello")]

    [info] = fetch_json(f"{site}/apiv2/server/info")["data"]
    assert {"key": "Redis mode", "value": "standalone"} in info["info"], info
    assert fetch_json(f"{site}/apiv2/exec/{connection}", b"cmd=xlen+app:orders")["data"] == 1


if __name__ == "__main__":
    main(address())

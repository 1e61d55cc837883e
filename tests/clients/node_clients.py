"""The Node.js clients: each version in a folder of its own."""

from __future__ import annotations

from tests.clients.catalogue import Client, Npm


def _node(
    name: str,
    version: str,
    program: str,
    package: str,
    *,
    protocols: tuple[int, ...] = (2, 3),
    quick: bool = False,
) -> Client:
    """Return a client whose program is found, by way of a link, where its packages are."""
    links = ("--preserve-symlinks", "--preserve-symlinks-main")
    return Client(
        name=name,
        version=version,
        language="Node.js",
        program=f"node/{program}.mjs",
        command=("node", *links, "{home}/programs/" + f"{program}.mjs"),
        install=(Npm((f"{package}@{version}",)),),
        protocols=protocols,
        quick=quick,
    )


NODE: tuple[Client, ...] = (
    _node("node-redis-4", "4.7.1", "node_redis", "redis", protocols=(2,)),
    _node("node-redis-5", "5.12.1", "node_redis", "redis"),
    _node("node-redis-6", "6.3.1", "node_redis", "redis", quick=True),
    _node("ioredis-4", "4.31.0", "ioredis", "ioredis", protocols=(2,)),
    _node("ioredis-5", "5.11.1", "ioredis", "ioredis", protocols=(2,)),
    _node("ioredis-6", "6.0.0", "ioredis", "ioredis", quick=True),
    _node("iovalkey", "0.4.0", "ioredis", "ioredis@npm:iovalkey", protocols=(2,)),
    _node("valkey-glide-node", "2.5.2", "glide", "@valkey/valkey-glide"),
)

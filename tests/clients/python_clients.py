"""The Python clients: each version in a virtual environment of its own."""

from __future__ import annotations

from tests.clients.catalogue import Client, Pip

HIREDIS = "hiredis==3.5.0"
LIBVALKEY = "libvalkey==4.2.1"
CONSTRAINTS = "--constraint={root}/tests/clients/python/constraints.txt"


def _python(
    name: str,
    version: str,
    program: str,
    *requirements: str,
    folder: str = "",
    protocols: tuple[int, ...] = (2, 3),
    quick: bool = False,
) -> Client:
    """Return a client whose program is a module of tests.clients.python."""
    return Client(
        name=name,
        version=version,
        language="Python",
        program=f"python/{program}.py",
        command=("{home}/bin/python", "-m", f"tests.clients.python.{program}"),
        install=(Pip((*requirements, CONSTRAINTS)),),
        environment=(("PYTHONPATH", "{root}"),),
        protocols=protocols,
        folder=folder,
        quick=quick,
    )


def _redis_py(version: str, *, protocols: tuple[int, ...] = (2, 3)) -> tuple[Client, ...]:
    """Return redis-py at a version: sync and asyncio, with Python's parser and with hiredis."""
    name = f"redis-py-{version.partition('.')[0]}"
    plain, faster = (f"redis=={version}",), (f"redis=={version}", HIREDIS)
    quick = version.startswith(("4.", "8."))  # the oldest and the newest
    return (
        _python(name, version, "redis_py", *plain, protocols=protocols, quick=quick),
        _python(
            f"{name}-asyncio",
            version,
            "redis_asyncio",
            *plain,
            folder=name,
            protocols=protocols,
            quick=quick,
        ),
        _python(f"{name}-hiredis", version, "redis_py", *faster, protocols=protocols),
        _python(
            f"{name}-hiredis-asyncio",
            version,
            "redis_asyncio",
            *faster,
            folder=f"{name}-hiredis",
            protocols=protocols,
        ),
    )


PYTHON: tuple[Client, ...] = (
    *_redis_py("4.6.0", protocols=(2,)),
    *_redis_py("5.3.1"),
    *_redis_py("6.4.0"),
    *_redis_py("7.4.1"),
    *_redis_py("8.1.0"),
    _python("valkey-py", "6.2.0", "redis_py", "valkey==6.2.0"),
    _python("valkey-py-libvalkey", "6.2.0", "redis_py", "valkey==6.2.0", LIBVALKEY),
    _python("coredis", "6.9.0", "coredis_asyncio", "coredis==6.9.0", protocols=(3,)),
    _python("valkey-glide-asyncio", "2.6.0", "glide_asyncio", "valkey-glide==2.6.0"),
    _python("valkey-glide-sync", "2.6.0", "glide_blocking", "valkey-glide-sync==2.6.0"),
)

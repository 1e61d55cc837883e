"""Huey with its Redis storage: one task, executed, and its result."""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# Huey is installed in an environment of its own.

from __future__ import annotations

import sys

from huey import RedisHuey


def main(host: str, port: int) -> None:
    """Do by hand what Huey's consumer does in its loop."""
    huey = RedisHuey("orders", host=host, port=port)

    @huey.task()
    def double(number: int) -> int:
        return 2 * number

    result = double(21)
    huey.execute(huey.dequeue())
    assert result() == 42


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

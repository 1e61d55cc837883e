"""walrus: a consumer group over two streams: create, read, ack, pending, claim, takeover, trim."""

# mypy: disable-error-code="import-not-found"
# walrus is installed in an environment of its own.

from __future__ import annotations

import sys

from walrus import Database

GROUP = "workers"


def main(host: str, port: int) -> None:
    """Read two streams as one group, and let a second worker take over what the first one left."""
    db = Database(host=host, port=port)
    group = db.consumer_group(GROUP, ["orders", "mails"], consumer="first")
    # The keys do not exist: walrus pushes an empty entry and deletes it again.
    group.create()
    assert (len(db.Stream("orders")), len(db.Stream("mails"))) == (0, 0)
    group.set_id("$")

    order = group.orders.add({"number": "1"})
    mail = group.mails.add({"to": "alice"})
    read = dict(group.read(count=1)) | dict(group.read() or ())
    assert read == {
        b"orders": [(order, {b"number": b"1"})],
        b"mails": [(mail, {b"to": b"alice"})],
    }, read
    assert group.orders.ack(order) == 1

    second = db.consumer_group(GROUP, ["orders", "mails"], consumer="second")
    [pending] = second.mails.pending()
    assert (pending["message_id"], pending["consumer"]) == (mail, b"first"), pending
    assert second.mails.claim(mail, min_idle_time=1) == [(mail, {b"to": b"alice"})]
    assert second.mails.ack(mail) == 1
    assert second.mails.pending() == []
    assert group.read(block=20) in (None, [], {})

    info = group.stream_info()
    assert info["orders"]["groups"] == 1, info
    db.Stream("orders").trim(1000)
    group.destroy()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

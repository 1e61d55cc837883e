"""Laws of `ezra.sansio.commands.backup`: a backup's name is one file's, whatever is sent."""

from __future__ import annotations

import os

from hypothesis import example, given
from hypothesis import strategies as st

from ezra.sansio.commands.backup import MAX_BACKUP_NAME, Backup, backup_name
from ezra.sansio.errors import CommandError
from ezra.sansio.session import ServerIdentity, Session
from tests.property.fake_host import FakeHost
from tests.property.wire import UNICODE

PATTERNS = (r"[./\\a-z\x00-]{0,9}", r"\A[a-z0-9._-]{1,110}\Z")
WORDS = st.one_of(
    st.text(UNICODE), *(st.from_regex(pattern, alphabet=UNICODE) for pattern in PATTERNS)
)


@given(WORDS)
@example("a" * (MAX_BACKUP_NAME + 1))
@example("a-wal")
@example("a/../../b")
def test_a_name_never_leads_out_of_its_directory(word: str) -> None:
    """What is accepted is one component, visible, short, and no part of another database."""
    try:
        name = backup_name(word)
    except CommandError:
        return
    assert os.path.normpath(os.path.join("/backups", name)) == f"/backups/{name}"
    assert name.isascii()
    assert name.isprintable()
    assert not name.startswith((".", "-", "_"))
    assert not name.endswith(("-wal", "-shm", "-journal"))
    assert 1 <= len(name) <= MAX_BACKUP_NAME


def test_a_backup_is_asked_of_the_host() -> None:
    """And what it answers is the result."""
    host = FakeHost()
    session = Session(7, ServerIdentity("1.2.3"))
    assert Backup("monday.db").answer(host, session) == ("/data/backups/monday.db", 4096)
    assert host.backups == ["monday.db"]

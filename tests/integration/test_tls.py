"""TLS: who speaks it is served, and nothing is ever said or taken in plain text."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from ezra.options import parse
from ezra.sansio.errors import StartError
from ezra.sansio.model import SECOND
from ezra.threaded.clock import SystemClock
from ezra.threaded.deadlines import Deadlines
from ezra.threaded.settings import MEMORY, Settings
from ezra.threaded.tls import TlsFileError, make_context
from tests.integration.certificates import Certificates
from tests.integration.local_server import LocalServer
from tests.integration.raw_client import RawClient, encode
from tests.integration.server_process import ServerProcess, run
from tests.integration.waiting import until


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates that no test changes."""
    return Certificates.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(made: Certificates) -> Settings:
    """The settings of a server that speaks TLS."""
    return Settings(data_dir=MEMORY, port=0, tls_cert=made.cert, tls_key=made.key)


@pytest.fixture
def strict(tls: Settings, made: Certificates) -> Settings:
    """The same, and clients have to show who they are."""
    return dataclasses.replace(tls, tls_client_ca=made.ca)


@pytest.fixture
def secure(tls: Settings) -> Iterator[LocalServer]:
    """Serve in TLS."""
    with LocalServer(tls, SystemClock()) as server:
        yield server


class SecureClient(RawClient):
    """A raw client in TLS."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext) -> None:
        super().__init__(address)
        self.socket = context.wrap_socket(self.socket, server_hostname=address[0])


def options(made: Certificates) -> list[str]:
    """Return the flags of a server in TLS."""
    return ["--tls-cert", str(made.cert), "--tls-key", str(made.key)]


def test_redis_py_works_over_tls(secure: LocalServer, made: Certificates) -> None:
    """Push, wait blocked, claim, ack: nothing is different for the client."""
    host, port = secure.address
    url = f"rediss://{host}:{port}?ssl_ca_certs={made.ca}"
    with redis.Redis.from_url(url) as producer, redis.Redis.from_url(url) as worker:
        found: list[Any] = []

        def wait() -> None:
            found.append(worker.xreadgroup("g", "w", {"q": ">"}, block=0))

        thread = threading.Thread(target=wait)
        thread.start()
        secure.until_blocked(1)
        pushed = producer.xadd("q", {"payload": b"x" * 100_000})
        thread.join(10)
        [[_, [[task, fields]]]] = found[0]
        assert task == pushed
        assert fields[b"payload"] == b"x" * 100_000
        assert worker.xack("q", "g", task) == 1


@pytest.mark.unmeasured
def test_large_requests_and_replies_pass(secure: LocalServer, made: Certificates) -> None:
    """Many records, and a pipeline whose end has been decrypted before it is read."""
    with SecureClient(secure.address, made.context()) as client:
        payload = bytes(range(256)) * 32 * 1024
        assert client.call("ECHO", payload) == payload
        client.send_bytes(encode("PING") * 20_000)
        assert client.replies(20_000) == [b"PONG"] * 20_000


def test_a_blocked_worker_that_hangs_up_is_noticed(secure: LocalServer, made: Certificates) -> None:
    """As on a plain connection: the task is not given to nobody."""
    worker = SecureClient(secure.address, made.context())
    worker.send_pop("q")
    secure.until_blocked(1)
    worker.close()
    secure.until_blocked(0)
    with SecureClient(secure.address, made.context()) as client:
        client.push("q", "x")
        task = client.pop("q")
        assert task is not None
        assert task["attempts"] == b"1"


def test_the_end_is_said_in_tls(secure: LocalServer, made: Certificates) -> None:
    """A client that asks for it hears a proper end, and never a byte in plain text."""
    context = made.context()
    peer = context.wrap_socket(
        socket.create_connection(secure.address, timeout=10),
        server_hostname="127.0.0.1",
        suppress_ragged_eofs=False,
    )
    with peer:
        peer.sendall(encode("QUIT"))
        assert peer.recv(100) == b"+OK\r\n"
        assert peer.recv(100) == b""  # else: SSLEOFError


def test_a_killed_client_hears_nothing_in_plain_text(
    secure: LocalServer, made: Certificates
) -> None:
    """Whoever is cut off by another thread: blocked, or in its handshake."""
    with SecureClient(secure.address, made.context()) as admin:
        blocked = socket.create_connection(secure.address, timeout=10)
        shaking = socket.create_connection(secure.address, timeout=10)
        with made.context().wrap_socket(blocked, server_hostname="127.0.0.1") as worker, shaking:
            worker.sendall(encode("XREADGROUP", "GROUP", "g", "w", "BLOCK", 0, "STREAMS", "q", ">"))
            secure.until_blocked(1)
            until(lambda: secure.server.clients == 3, "the handshake to begin")
            assert admin.call("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal") == 2
            raw = socket.socket(fileno=worker.detach())
            with raw:
                rest = read_to_end(raw)
            # Records of TLS only: 0x15 is an alert, 0x17 is data.
            assert not rest or rest[0] in (0x15, 0x17), rest
            assert b"\r\n" not in rest
            assert read_to_end(shaking) == b""
        until(lambda: secure.server.clients == 1, "both threads to end")


def test_at_a_shutdown_a_blocked_worker_is_answered_in_tls(
    secure: LocalServer, made: Certificates
) -> None:
    """Another thread wakes its thread, which then still has something to say."""
    with SecureClient(secure.address, made.context()) as worker:
        worker.send_pop("q")
        secure.until_blocked(1)
        secure.stop()
        assert worker.popped() is None
        assert worker.is_closed()


def read_to_end(peer: socket.socket) -> bytes:
    """Return what comes until the server closes."""
    found = b""
    try:
        while data := peer.recv(4096):
            found += data
    except ConnectionResetError:
        pass
    return found


def test_plain_text_is_not_served_on_a_tls_port(secure: LocalServer) -> None:
    """It gets no reply that could be taken for one of Redis', and nothing of it is carried out."""
    with RawClient(secure.address) as plain:
        plain.send("XADD", "q", "*", "payload", "x")
        assert not read_to_end(plain.socket).startswith((b"+", b"-", b"$"))
    until(lambda: secure.server.clients == 0, "it to be gone")
    assert secure.engine.queues() == []


def test_tls_is_refused_by_a_plain_port(made: Certificates) -> None:
    """The client's handshake comes to nothing, and the server goes on."""
    context = made.context()
    with LocalServer(Settings(data_dir=MEMORY, port=0), SystemClock()) as server:
        peer = socket.create_connection(server.address, timeout=1)
        with pytest.raises(OSError):  # noqa: PT011 - which one is OpenSSL's choice
            context.wrap_socket(peer, server_hostname="127.0.0.1")
        assert server.client().call("PING") == b"PONG"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_from_1_2_on(
    secure: LocalServer, made: Certificates, version: ssl.TLSVersion
) -> None:
    """Both that are not broken."""
    context = made.context()
    context.minimum_version = context.maximum_version = version
    with SecureClient(secure.address, context) as client:
        assert client.call("PING") == b"PONG"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_versions_before_1_2_are_refused(secure: LocalServer, made: Certificates) -> None:
    """Also where the client's library would still speak them."""
    context = made.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):  # noqa: PT011 - as above
        SecureClient(secure.address, context)


def test_a_client_s_certificate_is_asked_for(strict: Settings, made: Certificates) -> None:
    """Who has one is served; who has none, or one of somebody else's, is not."""
    stranger = ssl.create_default_context(cafile=str(made.ca))
    import trustme  # noqa: PLC0415

    trustme.CA().issue_cert("worker@example.org").configure_cert(stranger)
    with LocalServer(strict, SystemClock()) as server:
        with SecureClient(server.address, made.context(own=True)) as client:
            assert client.push("q", "x")
        for context in (made.context(), stranger):
            # In TLS 1.3 a client learns of its refusal only with the first reply.
            with pytest.raises(OSError), SecureClient(server.address, context) as refused:  # noqa: PT011
                refused.call("XLEN", "q")
        assert server.engine.queues()[0].ready == 1


@pytest.mark.parametrize("trickle", [False, True])
def test_a_handshake_that_never_ends_is_ended(tls: Settings, trickle: bool) -> None:
    """One deadline for all of it, also for who sends a byte now and then; others are served."""
    soon = Deadlines(handshake=SECOND // 2)
    with LocalServer(tls, SystemClock(), soon) as server:
        with socket.create_connection(server.address, timeout=10) as slow:
            gone = threading.Event()
            if trickle:
                threading.Thread(target=send_slowly, args=(slow, gone), daemon=True).start()
            assert read_to_end(slow) == b""
            gone.set()
        until(lambda: server.server.clients == 0, "its thread to end")


def send_slowly(peer: socket.socket, gone: threading.Event) -> None:
    """Begin a handshake, one byte every twentieth of a second."""
    # A record of 512 bytes, of which not a quarter will have come in time.
    for byte in b"\x16\x03\x01\x02\x00" + bytes(100):
        if gone.wait(0.05):
            return
        try:
            peer.send(bytes([byte]))
        except OSError:
            return


def test_a_renewed_certificate_is_served_after_a_restart(tmp_path: Path) -> None:
    """Replace the files, restart: clients see the new one."""
    mine = Certificates.make(tmp_path)

    def seen() -> int:
        with (
            ServerProcess(":memory:", *options(mine)) as server,
            SecureClient(server.address, mine.context()) as client,
        ):
            assert client.call("PING") == b"PONG"
            assert isinstance(client.socket, ssl.SSLSocket)
            found = client.socket.getpeercert()
            assert server.stop() == 0
            return int(str(found and found["serialNumber"]), 16)

    first = seen()
    renewed = mine.renew()
    assert seen() == renewed != first


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="there is no redis-cli here")
def test_redis_cli_works_over_tls(strict: Settings, made: Certificates) -> None:
    """With its own options for a CA and a certificate."""
    with LocalServer(strict, SystemClock()) as server:
        host, port = server.address
        answer = subprocess.run(
            ["redis-cli", "-h", host, "-p", str(port), "--tls", "--cacert", str(made.ca),  # noqa: S607
             "--cert", str(made.client), "--key", str(made.client), "PING"],
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    if "Unrecognized option" in answer.stderr:
        pytest.skip("this redis-cli was built without TLS")
    assert answer.stdout == "PONG\n", answer.stderr


@pytest.mark.parametrize(
    ("name", "kind", "advice"),
    [
        ("tls_cert", "missing", "may read"),
        ("tls_key", "missing", "may read"),
        ("tls_client_ca", "missing", "may read"),
        ("tls_cert", "rubbish", "BEGIN CERTIFICATE"),
        ("tls_client_ca", "rubbish", "BEGIN CERTIFICATE"),
        ("tls_key", "rubbish", "private key in PEM"),
        ("tls_key", "certificate", "is of no use: a private key in PEM"),
        ("tls_key", "other", "made together"),
        ("tls_key", "encrypted", "openssl pkey"),
    ],
)
def test_files_of_no_use_are_named(
    name: str, kind: str, advice: str, strict: Settings, tmp_path: Path
) -> None:
    """The error says which file and what to do."""
    mine = Certificates.make(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "rubbish.pem").write_text("not a certificate")
    paths = {
        "missing": tmp_path / "missing.pem",
        "rubbish": tmp_path / "rubbish.pem",
        "certificate": mine.cert,
        "other": Certificates.make(other).key,
        "encrypted": mine.encrypt_key(),
    }
    right = dataclasses.replace(strict, tls_cert=mine.cert, tls_key=mine.key, tls_client_ca=mine.ca)
    assert make_context(right) is not None
    with pytest.raises(TlsFileError) as failed:
        make_context(dataclasses.replace(right, **{name: paths[kind]}))  # type: ignore[arg-type]
    assert failed.value.setting == name
    assert str(failed.value).startswith(f"{name}: ")
    assert str(paths[kind]) in str(failed.value)
    assert advice in str(failed.value)
    assert isinstance(failed.value, StartError)


@pytest.mark.parametrize("by", ["--tls-key", "EZRA_TLS_KEY"])
def test_a_server_that_cannot_speak_tls_does_not_start(
    by: str, made: Certificates, tmp_path: Path
) -> None:
    """Exit code 2 before anything is made, and what named the file; never a plain port instead."""
    words = ["--data-dir", str(tmp_path / "data"), "--port", "0", "--tls-cert", str(made.cert)]
    wrong = "no-such-key.pem"
    flag = [by, wrong] if by.startswith("--") else []
    ended = run(*words, *flag, variables={} if flag else {by: wrong})
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith(f"ezra: error: {by}: cannot read {wrong}: ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o644, 1)])
def test_a_key_that_others_may_read_is_warned_of(
    mode: int, warned: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a password file is; a certificate is for everybody."""
    mine = Certificates.make(tmp_path)
    mine.key.chmod(mode)
    mine.cert.chmod(0o644)
    assert parse(options(mine), {}).tls_key == mine.key
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * warned

"""TLS: files in, a context for the port out, or an error that says which file and what to do.

The certificate, its key and the clients' CA are read once, at start: to renew one, replace the file
and restart. Versions and ciphers are the standard library's choice, from TLS 1.2 on.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from ezra.sansio.errors import StartError
from ezra.threaded.settings import Settings


class TlsFileError(StartError):
    """A file that TLS needs is missing or of no use.

    Args:
        setting: the one that names the file.
        reason: which file it is, what is wrong with it and what to do.
    """

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting}: {reason}")
        self.setting = setting
        self.reason = reason


class _EncryptedError(Exception):
    """A password is asked for, and nobody is there to say one."""


def make_context(settings: Settings) -> ssl.SSLContext | None:
    """Return what the port speaks TLS with; None where it is to speak plainly.

    Raises:
        TlsFileError: a file is missing or of no use.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0  # they would be written, and could stand still, behind the handshake
    _load(context, settings.tls_cert, settings.tls_key)
    if settings.tls_client_ca is not None:
        _trust(context, settings.tls_client_ca, "tls_client_ca")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, "tls_cert")
    _read(key, "tls_key")
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedError:
        raise TlsFileError(
            "tls_key",
            f"{key} is encrypted, and nobody is there to say its password: "
            f"write it without one (openssl pkey -in {key} -out FILE), readable for EZRA alone",
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsFileError(
                "tls_key",
                f"{key} is not the key of the certificate in {certificate}: "
                "name the two that were made together, the server's own certificate first",
            ) from None
        why = f" ({error.reason})" if error.reason else ""
        raise TlsFileError(
            "tls_key",
            f"{key} with {certificate} is of no use{why}: "
            "a private key in PEM is needed, and a certificate that is strong enough",
        ) from None


def _trust(context: ssl.SSLContext, path: Path, setting: str) -> None:
    """Have the context know the certificates in a file, which is to have some."""
    _read(path, setting)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise TlsFileError(
            setting,
            f"{path} holds no certificate: name a file in PEM, "
            "which begins with -----BEGIN CERTIFICATE-----",
        ) from None


def _read(path: Path, setting: str) -> None:
    """Raise an error that names the file if it cannot be read."""
    try:
        path.read_bytes()
    except OSError as error:
        raise TlsFileError(
            setting,
            f"cannot read {path}: {error.strerror}; name a file that EZRA's user may read",
        ) from None


def _no_password() -> str:
    raise _EncryptedError

"""Certificates for tests: an authority, a server's and clients', written to files by trustme."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

PASSWORD = b"guess"


@dataclass(frozen=True)
class Certificates:
    """The files, and what a client makes of them."""

    folder: Path
    authority: trustme.CA

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        """Write all of them."""
        made = cls(folder, trustme.CA())
        made.authority.cert_pem.write_to_path(str(made.ca))
        made.renew()
        client = made.authority.issue_cert("worker@example.org")
        client.private_key_and_cert_chain_pem.write_to_path(str(made.client))
        return made

    @property
    def ca(self) -> Path:
        """Whose certificates are trusted, by either side."""
        return self.folder / "ca.pem"

    @property
    def cert(self) -> Path:
        """The server's."""
        return self.folder / "cert.pem"

    @property
    def key(self) -> Path:
        """The server's."""
        return self.folder / "key.pem"

    @property
    def client(self) -> Path:
        """A client's key and certificate, in one file."""
        return self.folder / "client.pem"

    def renew(self) -> int:
        """Write another certificate for the server; return its serial number."""
        issued = self.authority.issue_cert("127.0.0.1", "localhost")
        issued.private_key_pem.write_to_path(str(self.key))
        issued.cert_chain_pems[0].write_to_path(str(self.cert))
        return serial(issued.cert_chain_pems[0].bytes())

    def encrypt_key(self) -> Path:
        """Return the server's key in a file that a password protects."""
        # Imported here: it takes a while, and one test needs it.
        from cryptography.hazmat.primitives import serialization as pem  # noqa: PLC0415

        key = pem.load_pem_private_key(self.key.read_bytes(), None)
        path = self.folder / "encrypted.pem"
        wrapped = pem.BestAvailableEncryption(PASSWORD)
        format_ = pem.PrivateFormat.PKCS8
        path.write_bytes(key.private_bytes(pem.Encoding.PEM, format_, wrapped))
        return path

    def context(self, *, own: bool = False) -> ssl.SSLContext:
        """Return what a client speaks TLS with, by its own certificate or without."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if own:
            context.load_cert_chain(str(self.client))
        return context


def serial(certificate: bytes) -> int:
    """Return the serial number of a certificate in PEM."""
    from cryptography import x509  # noqa: PLC0415 - as above

    return x509.load_pem_x509_certificate(certificate).serial_number

"""Who may sit between us and the source: a listener that speaks the start of PostgreSQL's protocol and asks for what an
attacker would ask for, and keeps every byte that it was told.
"""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ELSEWHERE = "0.0.0.0"
"""An address that is no loopback and yet leads back to this machine."""

CLEARTEXT = struct.pack("!cii", b"R", 8, 3)
MD5 = struct.pack("!cii4s", b"R", 12, 5, b"salt")
OK = struct.pack("!cii", b"R", 8, 0) + struct.pack("!cic", b"Z", 5, b"I")
_SSL_REQUEST = 80877103


def refusal(words: str) -> bytes:
    """An ErrorResponse as a pooler sends it."""
    body = b"SFATAL\0VFATAL\0CXX000\0M" + words.encode() + b"\0\0"
    return struct.pack("!ci", b"E", len(body) + 4) + body


def certificate(directory: Path, name: str = "made-up", *, address: str = ELSEWHERE, days: int = 0) -> Path:
    """A self-made certificate for `address`, valid around the day so many days from now, and its key beside it as
    `.key`.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{name}.crt"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@dataclass
class Middleman:
    """`port` it listens on; `told` is all that clients said, decrypted."""

    port: int
    told: bytearray = field(default_factory=bytearray)


@contextmanager
def middleman(answer: bytes, shown: Path | None = None) -> Iterator[Middleman]:
    """Offers TLS with the certificate `shown`, or none; then says `answer` to the startup, and no to a password."""
    with socket.create_server((ELSEWHERE, 0)) as listener:
        listening = Middleman(port=listener.getsockname()[1])
        attending: list[threading.Thread] = []

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                # Each in a thread of its own: who says nothing for a while keeps no other waiting.
                attending.append(threading.Thread(target=attend, args=(client,), daemon=True))
                attending[-1].start()

        def attend(client: socket.socket) -> None:
            client.settimeout(5)
            with suppress(OSError), ExitStack() as closing:
                closing.callback(client.close)
                _talk(client, closing, answer, shown, listening.told)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for each in (thread, *attending):
                each.join(10)


def _talk(client: socket.socket, closing: ExitStack, answer: bytes, shown: Path | None, told: bytearray) -> None:
    while True:
        said = client.recv(65536)
        told += said
        if not said:
            return
        if len(said) == 8 and struct.unpack("!ii", said)[1] == _SSL_REQUEST:
            client.sendall(b"N" if shown is None else b"S")
            if shown is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(shown, shown.with_suffix(".key"))
                client = context.wrap_socket(client, server_side=True)
                closing.callback(client.close)
            continue
        client.sendall(refusal("password authentication failed") if said.startswith(b"p") else answer)


@contextmanager
def tls_server(shown: Path) -> Iterator[int]:
    """Its port, at any address of this machine: it shows this certificate, and hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, shown.with_suffix(".key"))
    with socket.create_server((ELSEWHERE, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client, suppress(OSError), context.wrap_socket(client, server_side=True):
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)

"""DynamoDB's protocol over connections that break, hang and answer nonsense."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from resilience.store.wire import RefusedError, UnreachableError, Wire
from resilience.testing import no_wait

ANSWER = b'{"Item": {}}'
Script = Callable[[socket.socket], None]


def answered(body: bytes, status: str = "200 OK", *, close: bool = False) -> Script:
    """Answer one request."""

    def play(connection: socket.socket) -> None:
        _read_request(connection)
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(["Connection: close"] if close else [])]
        connection.sendall("\r\n".join((*lines, "", "")).encode() + body)

    return play


def refused(code: str, status: str = "400 Bad Request") -> Script:
    """Answer one request with an error of DynamoDB."""
    return answered(json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}).encode(), status)


def cut(connection: socket.socket) -> None:
    """Begin an answer and close the connection in the middle of it."""
    _read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    connection.close()


def hang_up(connection: socket.socket) -> None:
    """Close the connection as an idle one is closed."""
    connection.close()


def silence(connection: socket.socket) -> None:
    """Take the request and say nothing until the other side has enough."""
    _read_request(connection)
    connection.recv(1)


class Scripted:
    """A server that plays one list of scripts a connection."""

    def __init__(self, *connections: list[Script]) -> None:
        self.accepted = 0
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for scripts in self._connections:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with connection:
                for script in scripts:
                    script(connection)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()


def _read_request(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with no_wait():
        yield


@contextmanager
def wired(*connections: list[Script], attempts: int = 2, read_timeout: float = 5.0) -> Iterator[tuple[Wire, Scripted]]:
    server = Scripted(*connections)
    wire = Wire(
        region="eu-west-1", endpoint_url=server.url, connect_timeout=5.0, read_timeout=read_timeout, attempts=attempts
    )
    try:
        yield wire, server
    finally:
        wire.close()
        server.close()


def test_a_connection_is_kept() -> None:
    """Several requests, one connection."""
    with wired([answered(ANSWER)] * 3) as (wire, server):
        assert [wire.send("GetItem", {}) for _ in range(3)] == [{"Item": {}}] * 3
        assert server.accepted == 1


def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    """Without an attempt being spent: nothing was wrong with the request."""
    with wired([answered(ANSWER), hang_up], [answered(ANSWER)], attempts=1) as (wire, server):
        wire.send("GetItem", {})
        assert wire.send("GetItem", {}) == {"Item": {}}
        assert server.accepted == 2


def test_the_server_may_end_a_connection() -> None:
    """What it announces is not kept."""
    with wired([answered(ANSWER, close=True)], [answered(ANSWER)], attempts=1) as (wire, server):
        wire.send("GetItem", {})
        wire.send("GetItem", {})
        assert server.accepted == 2


@pytest.mark.parametrize(
    "first",
    [
        [cut],
        [answered(b"<html>", close=True)],
        [refused("ThrottlingException"), answered(ANSWER)],
        [refused("InternalServerError", "500 Oops"), answered(ANSWER)],
        [answered(b"", "503 Slow Down"), answered(ANSWER)],
    ],
)
def test_what_passes_is_tried_again(first: list[Script]) -> None:
    """An answer that breaks off, that is not DynamoDB's, or that asks for patience."""
    with wired(first, [answered(ANSWER)]) as (wire, _):
        assert wire.send("GetItem", {}) == {"Item": {}}


def test_what_does_not_pass_is_raised_at_once() -> None:
    """A condition that does not hold will not hold the next time."""
    with (
        wired([refused("ConditionalCheckFailedException"), answered(ANSWER)]) as (wire, _),
        pytest.raises(RefusedError) as caught,
    ):
        wire.send("PutItem", {})
    assert caught.value.code == "ConditionalCheckFailedException"
    assert not caught.value.passes


def test_patience_ends() -> None:
    """After as many attempts as it was given."""
    with wired([refused("ThrottlingException")] * 3, attempts=3) as (wire, _), pytest.raises(RefusedError):
        wire.send("GetItem", {})


def test_silence_is_an_outage() -> None:
    """A server that takes the request and says nothing costs the timeout, no more."""
    with wired([silence], attempts=1, read_timeout=0.05) as (wire, _), pytest.raises(UnreachableError, match="imeout"):
        wire.send("GetItem", {})


@pytest.mark.parametrize("trusted", [True, False])
def test_the_server_is_verified(trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS, against the authorities that the environment names; a stranger's certificate is no answer."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "server.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    (tmp_path / "trusted.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "trusted.pem")) if trusted else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"https://localhost:{server.server_port}"
    wire = Wire(region="eu-west-1", endpoint_url=url, connect_timeout=5.0, read_timeout=5.0, attempts=1)
    try:
        if trusted:
            for _ in range(2):  # a connection each: this server keeps none
                assert wire.send("GetItem", {}) == {"Item": {}}
        else:
            with pytest.raises(UnreachableError, match="SSLCertVerificationError"):
                wire.send("GetItem", {})
    finally:
        wire.close()
        server.shutdown()
        server.server_close()


def test_the_endpoint_comes_from_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """China's has a domain of its own; a variable wins."""
    for name in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)

    def host(region: str) -> str:
        return Wire(region=region, endpoint_url=None, connect_timeout=1, read_timeout=1, attempts=1).host

    assert host("eu-west-1") == "dynamodb.eu-west-1.amazonaws.com"
    assert host("cn-north-1") == "dynamodb.cn-north-1.amazonaws.com.cn"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    assert host("eu-west-1") == "localhost:4566"

"""The connections to Supabase: which error each fault of the other side becomes, and what is sent again."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import EllipsisType

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from studysync.db.transport import http_transport
from testing.waiting import wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
SECONDS = 0.3


Answer = bytes | None | EllipsisType


class Server:
    """A server with a plan for each of its connections.

    Args:
        connections: what is sent for each request; None: the connection is closed instead; ...: it is closed without
            waiting for another request.

    Attributes:
        requests: what was received.
        connections: how many were accepted.
    """

    def __init__(self, *connections: list[Answer]) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answers = list(connections)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/rpc/ping"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self.connections += 1
                for answer in self._answers.pop(0):
                    if answer is not ...:
                        self.requests.append(connection.recv(65_536))
                    if answer is None or answer is ...:
                        connection.close()
                    else:
                        connection.sendall(answer)

    def close(self) -> None:
        """Close every connection, and wait for the thread."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._open):
            each.close()
        self._thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers, and end them."""
    started: list[Server] = []

    def start(*connections: list[Answer]) -> Server:
        started.append(Server(*connections))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture(autouse=True)
def _own_connections() -> Iterator[None]:
    http_transport.cache_clear()
    yield
    http_transport.cache_clear()


async def post(url: str, *, once: bool = False, seconds: float = SECONDS) -> httpx.Response:
    """Send a call of the database."""
    extensions = {"timeout": httpx.Timeout(seconds).as_dict(), "once": once}
    return await http_transport().handle_async_request(httpx.Request("POST", url, content=b"{}", extensions=extensions))


async def post_twice(url: str) -> list[httpx.Response]:
    """Send two calls, one after the other."""
    return [await post(url), await post(url)]


def test_a_connection_is_used_again(serve: Callable[..., Server]) -> None:
    """Two calls, one connection."""
    server = serve([OK, OK])
    assert [each.json() for each in asyncio.run(post_twice(server.url))] == [{}, {}]
    assert server.connections == 1


def test_a_connection_that_breaks_in_use_is_replaced_once(serve: Callable[..., Server]) -> None:
    """The other side had closed it: the call is sent again over a new one."""
    server = serve([OK, None], [OK])
    assert [each.status_code for each in asyncio.run(post_twice(server.url))] == [200, 200]
    assert (server.connections, len(server.requests)) == (2, 3)


def test_a_second_broken_connection_is_an_error(serve: Callable[..., Server]) -> None:
    """Once is enough: there is no third attempt."""
    server = serve([None], [None], [OK])
    with pytest.raises(httpx.ReadError):
        asyncio.run(post(server.url))
    assert server.connections == 2


def test_what_must_happen_once_is_not_sent_again(serve: Callable[..., Server]) -> None:
    """The caller decides about it."""
    server = serve([None], [OK])
    with pytest.raises(httpx.ReadError):
        asyncio.run(post(server.url, once=True))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["no HTTP", "cut off"],
)
def test_a_malformed_answer_is_a_protocol_error(serve: Callable[..., Server], answer: bytes) -> None:
    """What it says is not used."""
    server = serve([answer, ...], [answer, ...])
    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(post(server.url))
    assert server.connections == 2  # it may have been the connection


@pytest.mark.parametrize("answers", [[b""], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]], ids=["head", "body"])
def test_a_server_that_hangs_is_a_read_timeout(serve: Callable[..., Server], answers: list[Answer]) -> None:
    """Before the response as within it, and it is not sent again."""
    server = serve(answers)
    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(post(server.url))
    assert len(server.requests) == 1


def test_a_refused_connection_is_a_connect_error() -> None:
    """Nothing listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(httpx.ConnectError):
        asyncio.run(post(f"http://127.0.0.1:{port}/"))


def test_a_connection_that_is_not_accepted_is_a_connect_timeout() -> None:
    """After two seconds; a deadline that is shorter comes first."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        with pytest.raises(httpx.ConnectTimeout):
            asyncio.run(post(url, seconds=5))
        for each in waiting:
            each.close()


def test_a_redirect_is_not_followed_and_no_proxy_is_asked(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a server nor an environment variable sends API keys elsewhere."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server = serve([b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"])
    assert asyncio.run(post(server.url)).status_code == 307


def test_a_process_may_end_with_its_answer(serve: Callable[..., Server]) -> None:
    """A script that asks for rows ends well, although a thread of the connections may still hold objects of Python."""
    program = (
        "import asyncio, httpx, sys\n"
        "from studysync.db.transport import http_transport\n"
        "request = httpx.Request('POST', sys.argv[1], content=b'{}')\n"
        "assert asyncio.run(http_transport().handle_async_request(request)).status_code == 200\n"
    )
    server, environment = serve(*[[OK]] * 5), {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(5):
        subprocess.run([sys.executable, "-c", program, server.url], env=environment, check=True, timeout=60)


def test_a_cancelled_call_lets_its_connection_go(serve: Callable[..., Server]) -> None:
    """Its answer would be taken for that of the next call."""

    async def cancel_and_post(url: str) -> httpx.Response:
        hanging = asyncio.ensure_future(post(url, seconds=5))
        await asyncio.to_thread(wait_until, lambda: server.requests)
        hanging.cancel()
        with suppress(asyncio.CancelledError):
            await hanging
        return await post(url)

    server = serve([b""], [OK])
    assert asyncio.run(cancel_and_post(server.url)).status_code == 200
    assert server.connections == 2


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True
    )
    path = tmp_path / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM) + secret)
    return path


@pytest.mark.parametrize("trusted", [True, False])
def test_certificates_are_checked_against_the_configured_authorities(
    certificate: Path, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A self-hosted project may have an authority of its own; nobody else is believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def answer(listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as safe:
                safe.recv(65_536)
                safe.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=[listener])
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        if trusted:
            assert asyncio.run(post(url, seconds=5)).status_code == 200
        else:
            with pytest.raises(httpx.ConnectError):
                asyncio.run(post(url, seconds=5))
        thread.join()

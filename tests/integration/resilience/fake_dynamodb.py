"""A server with enough of DynamoDB's protocol for failures, which fails as the test specifies."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Play = Callable[[socket.socket], None]
FINE = b'{"Item": {"pk": {"S": "p"}, "sk": {"S": "s"}, "n": {"N": "1"}}}'


def answer(body: bytes = FINE, status: str = "200 OK", kind: str = "application/x-amz-json-1.0") -> Play:
    """Answer one request."""

    def play(connection: socket.socket) -> None:
        read_request(connection)
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)

    return play


def refuse(code: str, status: str = "400 Bad Request") -> Play:
    """Answer one request with a DynamoDB error."""
    return answer(json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}).encode(), status)


def cut(connection: socket.socket) -> None:
    """Start an answer and close the connection in the middle of it."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    connection.close()


def silence(connection: socket.socket) -> None:
    """Read the request, and send nothing until the client disconnects."""
    read_request(connection)
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    """Answer one byte at a time, within every read timeout but never completely."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    try:
        while threading.Event().wait(0.1) is False:
            connection.sendall(b" ")
    except OSError:
        return


def read_request(connection: socket.socket) -> bytes:
    """Read one complete request; returns its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < int(lines[0].split(b":")[1]):
        body += _some(connection)
    return body


def _some(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionError
    return received


@contextmanager
def serving(*connections: list[Play], then: Play | None = None) -> Iterator[str]:
    """Serve at the yielded address: the n-th connection plays the n-th list, later ones repeat `then`."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve, args=(listener, list(connections), then), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _serve(listener: socket.socket, connections: list[list[Play]], then: Play | None) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        plays = connections.pop(0) if connections else None
        threading.Thread(target=_play, args=(connection, plays, then), daemon=True).start()


def _play(connection: socket.socket, plays: list[Play] | None, then: Play | None) -> None:
    with connection:
        try:
            for play in plays or ():
                play(connection)
            while plays is None and then is not None:
                then(connection)
            if plays is not None:
                connection.recv(1)  # a pooled connection that died silently: nobody answers on it any more
                threading.Event().wait(5)
        except OSError:
            return

"""Where the gateway listens."""

import socket

import pytest

from local.errors import StackError
from local.listen import is_loopback, network_address, take_port
from local.stack_directory import free_port


def addresses(host: str) -> set[str]:
    sockets = take_port(0, host)
    try:
        assert len({listener.getsockname()[1] for listener in sockets}) == 1
        return {listener.getsockname()[0] for listener in sockets}
    finally:
        for listener in sockets:
            listener.close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", {"127.0.0.1", "::1"}),
        ("127.0.0.1", {"127.0.0.1", "::1"}),
        ("0.0.0.0", {"0.0.0.0", "::1"}),
        ("127.0.0.2", {"127.0.0.2", "127.0.0.1", "::1"}),
    ],
)
def test_the_asked_address_beside_those_of_localhost(host: str, expected: set[str]) -> None:
    """Localhost always reaches the stack; `::1` only where there is IPv6."""
    assert addresses(host) | {"::1"} == expected


@pytest.mark.parametrize("host", ["", "evil.example", "256.0.0.1", "203.0.113.5", "localhost:80"])
def test_an_address_of_nobody_is_one_clear_line(host: str) -> None:
    """Names, garbage and another machine's address are refused in one line."""
    with pytest.raises(StackError) as refused:
        take_port(0, host)
    assert "\n" not in str(refused.value)


def test_a_taken_port_leaves_nothing_listening() -> None:
    """When one address is taken, the other is released too."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StackError, match=f"Port {port} is in use"):
        take_port(port)
    for listener in take_port(port):
        listener.close()


def test_who_else_can_reach_it() -> None:
    """On loopback nobody else reaches it; on all addresses the link names one that others can use."""
    assert [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "192.168.1.7")] == [
        *[True] * 3,
        *[False] * 2,
    ]
    assert network_address("192.168.1.7") == "192.168.1.7"
    assert network_address("0.0.0.0") != "0.0.0.0"

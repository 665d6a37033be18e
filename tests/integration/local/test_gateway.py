"""The gateway and real function processes from outside: requests in and responses out."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from testing.waiting import wait_until
from tests.integration.local.sample import Running

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024


def test_a_request_reaches_the_function_as_an_event(running: Running) -> None:
    """Path, query, repeated headers, cookies and body reach the function, and its cookies reach the client."""
    headers = [("x-a", "1"), ("x-a", "2"), ("cookie", "c=3; d=4"), ("content-type", "application/json")]
    response = running.client.post("/echo/a%20b/c?x=1&x=2", headers=headers, content='{"é": 1}')
    event = response.json()
    assert response.status_code == 200
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert event["rawPath"] == "/echo/a b/c"
    assert event["pathParameters"] == {"proxy": "a b/c"}
    assert event["queryStringParameters"] == {"x": "1,2"}
    assert event["headers"]["x-a"] == "1,2"
    assert event["cookies"] == ["c=3", "d=4"]
    assert event["body"] == '{"é": 1}'
    assert response.headers["apigw-requestid"] == event["requestContext"]["requestId"]


def test_the_context_and_environment_are_lambdas(running: Running) -> None:
    """The function has remaining time, memory, names, the template's variables and the trace."""
    event = running.client.get("/echo/x", headers={"x-amzn-trace-id": "Root=1-5-6"}).json()
    environment = event["environment"]
    assert 9000 < event["remaining"] <= 10000
    assert event["memory"] == "256"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "Echo"
    assert environment["GREETING"] == "hello"
    assert event["headers"]["x-amzn-trace-id"] == "Root=1-5-6"
    assert re.fullmatch("Root=1-5-6;Parent=[0-9a-f]{16};Sampled=0", environment["_X_AMZN_TRACE_ID"])
    assert environment["LAMBDA_TASK_ROOT"] == str(running.root / "code")
    assert "PYTHONDONTWRITEBYTECODE" not in environment


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.7"},
        {"x-forwarded-for": "203.0.113.7, 127.0.0.1", "x-forwarded-proto": "https"},
        {"forwarded": "for=203.0.113.7", "x-real-ip": "203.0.113.7"},
    ],
)
def test_a_client_does_not_choose_its_address(running: Running, headers: dict[str, str]) -> None:
    """Forwarding headers of the client are passed on, but the connection's address is the source address."""
    event = running.client.get("/echo/x", headers=headers).json()
    assert event["requestContext"]["http"]["sourceIp"] in {"127.0.0.1", "::1"}
    assert event["headers"]["x-forwarded-for"].endswith(event["requestContext"]["http"]["sourceIp"])


def test_binary_both_ways(running: Running) -> None:
    """Binary bodies are unchanged in both directions."""
    event = running.client.post("/echo/x", content=b"\x00\xff", headers={"content-type": "image/png"}).json()
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)
    assert running.client.get("/odd/binary").content == bytes(range(256))


@pytest.mark.parametrize("what", ["raise", "exit", "kill", "shape", "large"])
def test_a_failed_invocation_is_a_500_and_the_next_works(running: Running, what: str) -> None:
    """However a function fails, the client gets API Gateway's own error without any detail."""
    response = running.client.get(f"/odd/{what}")
    assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})
    assert running.client.get("/odd/fine").json() == {"fine": True}


@pytest.mark.parametrize("what", ["sleep", "freeze"])
def test_the_functions_timeout_ends_its_process(running: Running, what: str) -> None:
    """After the function's timeout the client gets a 503, the process is gone, and the next request works."""
    before = running.client.get("/odd/pid").json()["pid"]
    response = running.client.get(f"/odd/{what}")
    assert (response.status_code, response.json()) == (503, {"message": "Service Unavailable"})
    assert running.client.get("/odd/pid").json()["pid"] != before
    assert "Task timed out after 1.00 seconds" in running.log("Odd")


def test_unknown_paths(running: Running) -> None:
    """For an unknown route or method the gateway answers itself."""
    for response in (running.client.get("/nowhere"), running.client.post("/odd/fine")):
        assert (response.status_code, response.json()) == (404, {"message": "Not Found"})


@pytest.mark.parametrize("size", [7 * MEGABYTE, 11 * MEGABYTE])
def test_bodies_over_the_limit(running: Running, size: int) -> None:
    """A body over Lambda's 6 MB or the gateway's 10 MB is a 413."""
    response = running.client.post("/echo/x", content=b"x" * size, headers={"content-type": "text/plain"})
    assert (response.status_code, response.json()) == (413, {"message": "Request Entity Too Large"})


def test_a_body_just_below_the_limit(running: Running) -> None:
    """Two megabytes pass in both directions."""
    text = "y" * 2 * MEGABYTE
    response = running.client.post("/echo/x", content=text, headers={"content-type": "text/plain"})
    assert response.json()["body"] == text


def test_cors(running: Running) -> None:
    """The gateway answers preflights and adds its CORS headers to answers."""
    asking = {"origin": "https://a.example", "access-control-request-method": "GET"}
    preflight = running.client.options("/echo/x", headers=asking)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET"
    answer = running.client.get("/echo/x", headers={"origin": "https://a.example"})
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert answer.headers["access-control-expose-headers"] == "age"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_other_names_for_this_machine_are_refused(running: Running, host: str) -> None:
    """A page whose host name was rebound to 127.0.0.1 can neither read nor start anything."""
    before = running.log("Odd").count("START RequestId: ")
    assert running.client.get("/odd/fine", headers={"host": host}).status_code == 403
    assert running.client.get("/odd/fine", headers={"host": f"127.0.0.1:{running.port}"}).status_code == 200
    assert running.log("Odd").count("START RequestId: ") == before + 1


def test_a_page_takes_no_functions_work(running: Running) -> None:
    """A request that a browser sends for a page gets no invocation from the Runtime API, and the function goes on."""
    api = running.client.get("/echo/x").json()["environment"]["AWS_LAMBDA_RUNTIME_API"]
    pages = (
        {"origin": "https://a.example"},
        {"sec-fetch-site": "cross-site"},
        {"user-agent": "Mozilla/5.0"},
        {"host": "a.example"},
    )
    for headers in pages:
        answer = httpx.get(f"http://{api}/2018-06-01/runtime/invocation/next", headers=headers)
        assert (answer.status_code, "event" in answer.text) == (403, False)
    assert running.client.get("/echo/x").status_code == 200


def test_concurrent_requests_have_a_process_each(running: Running) -> None:
    """Four requests that wait for each other all return, from four processes."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: running.client.get("/meet").json(), range(4)))
    assert len({answer["pid"] for answer in answers}) == 4


def test_both_addresses_of_localhost_answer(running: Running) -> None:
    """127.0.0.1 always answers, and ::1 where the machine has IPv6."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as connection:
            try:
                connection.connect((address, running.port))
            except OSError:
                assert family is socket.AF_INET6
                continue
            connection.sendall(b"GET /odd/fine HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_request_that_is_cut_off_never_happened(running: Running) -> None:
    """A request that is cut off in the middle of its body is not passed on."""
    began = running.log("Odd").count("START RequestId: ")
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(b"POST /odd/fine HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{")
    running.client.get("/odd/fine")
    wait_until(lambda: running.log("Odd").count("START RequestId: ") > began)
    assert running.log("Odd").count("START RequestId: ") == began + 1


def test_logs_read_like_lambdas(running: Running) -> None:
    """The log has START, the function's lines, END and REPORT; the terminal shows only warnings and errors."""
    running.client.get("/odd/loud")
    wait_until(lambda: "all quiet" in running.log("Odd"))
    log = running.log("Odd")
    assert "START RequestId: " in log
    assert "\tInit Duration: " in log
    report = next(line for line in log.splitlines() if line.startswith("REPORT"))
    assert "Memory Size: 256 MB\tMax Memory Used: " in report
    assert "Odd  [ERROR] somebody should look" in running.shown
    assert not any("all quiet" in line for line in running.shown)

"""What holds for every request: compression, entity tags, empty parameters, and the format of values."""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from resilience import cache_manager
from testing.client import Api, Student, assert_problem
from testing.handlers import handlers
from testing.offline import codes, event, send

EVENTS = Path(__file__).parents[2] / "testing" / "aws_events"
TAGGED = [
    "/api/users/me",
    "/api/users/{me}",
    "/api/gamification/badges",
    "/api/gamification/badges/me",
    "/api/gamification/leaderboard/weekly",
    "/api/sync/changes",
    "/api/openapi.json",
    "/api/docs",
]


@pytest.mark.parametrize("path", TAGGED)
def test_who_has_it_already_gets_no_body(api: Api, student: Student, path: str) -> None:
    """A request with the answer's tag, in a list, weak or starred, gets a 304; any other tag gets the answer."""
    api.run(cache_manager.clear_async())  # so that no cache clear of an earlier test is still pending
    path = path.replace("{me}", student.user_id)
    student.get(path)  # so that what is cached is cached
    first = student.get(path)
    tag = first.headers["etag"]
    assert "no-store" not in first.headers["cache-control"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = student.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), known
        for name in ("cache-control", "content-security-policy"):  # a cache adopts them
            assert again.headers.get(name) == first.headers.get(name)
    for other in ('"other"', "", "W/", tag[:-2]):
        assert student.get(path, headers={"If-None-Match": other}).status_code == 200


def test_a_change_changes_the_tag(student: Student) -> None:
    """A change invalidates the old tag, and an error is never a 304."""
    tag = student.get("/api/users/me").headers["etag"]
    student.patch("/api/users/me", {"display_name": "Another"})
    assert student.get("/api/users/me", headers={"If-None-Match": tag}).status_code == 200
    assert_problem(student.get(f"/api/users/{uuid.uuid4()}", headers={"If-None-Match": "*"}), 404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/gamification/badges"])
def test_long_answers_are_compressed_for_who_accepts_it(student: Student, path: str) -> None:
    """Answers are equal compressed and uncompressed, and caches see that they depend on the client."""
    plain = student.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for accepted in ("gzip", "br;q=1.0, gzip;q=0.5", "deflate,gzip"):
        packed = student.get(path, headers={"Accept-Encoding": accepted})
        assert packed.headers["content-encoding"] == "gzip"
        assert "accept-encoding" in packed.headers["vary"].lower()
        assert int(packed.headers["content-length"]) < len(plain.content) / 2
        assert packed.json() == plain.json()
        assert packed.headers["etag"] == plain.headers["etag"]
    for refused in ("gzip;q=0", "gzip; q=0.0, br", "br", "xgzip"):
        assert "content-encoding" not in student.get(path, headers={"Accept-Encoding": refused}).headers


def test_short_answers_are_not_compressed(student: Student) -> None:
    """Answers below a kilobyte are not compressed, because that would cost more than it saves."""
    assert "content-encoding" not in student.get("/api/users/me", headers={"Accept-Encoding": "gzip"}).headers


def test_a_compressed_answer_comes_through_lambda_whole(tmp_path: Path, api: Api) -> None:
    """A compressed answer reaches API Gateway as base64 and is marked as such."""
    event = json.loads((EVENTS / "http_api_2.json").read_text(encoding="utf-8"))
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/api/openapi.json"
    event["requestContext"]["http"]["method"] = "GET"
    event["headers"] = {"accept-encoding": "gzip"}
    with handlers(tmp_path) as call:
        answer = call("health", event)
    assert answer["isBase64Encoded"] is True
    assert gzip.decompress(base64.b64decode(answer["body"])) == api.get("/api/openapi.json").content


@pytest.mark.parametrize(
    "path",
    [
        "/api/sessions?status=&cursor=&limit=",
        "/api/users?query=",
        "/api/spaces?query=&&cursor",
        "/api/gamification/leaderboard/weekly?period_start=&space_id=&limit=",
        "/api/sync/status?client_id=",
    ],
)
def test_an_empty_parameter_is_an_absent_one(student: Student, path: str) -> None:
    """Every optional parameter may be sent empty."""
    assert student.get(path).json() == student.get(path.partition("?")[0]).json()


def test_a_value_is_not_lost_with_the_empty_ones(student: Student) -> None:
    """A parameter with a value counts, even when the value is wrong."""
    assert_problem(student.get("/api/sessions?cursor=&limit=0"), 400, "VALIDATION_ERROR")
    assert_problem(student.get("/api/sessions?status=%20"), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("path", ["/api/users/me", "/api/openapi.json", "/health", "/api/docs"])
def test_head_is_get_without_its_body(student: Student, path: str) -> None:
    """HEAD answers with the same status and tag as GET, and without a body."""
    got, head = student.get(path), student.api.request("HEAD", path, token=student.token)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers.get("etag") == got.headers.get("etag")


TRUTHS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/sessions/start", {"duration_minutes": True}),
    ("PATCH", "/api/users/me", {"daily_goal_minutes": True}),
    ("POST", "/api/spaces/create", {"name": "A", "visibility": "public", "capacity": True}),
]


@pytest.mark.parametrize(("method", "path", "body"), TRUTHS)
def test_true_is_no_number(student: Student, method: str, path: str, body: dict[str, Any]) -> None:
    """JSON true is not accepted as a number, although Python treats it as 1."""
    response = student.api.request(method, path, json=body, token=student.token)
    problem = assert_problem(response, 400, "VALIDATION_ERROR")
    assert "must be a number" in problem["details"]["validation_errors"][0]["message"]


def test_true_is_no_number_offline_either(student: Student, noon: datetime) -> None:
    """An event with true as a number is rejected, but not its batch."""
    session = str(uuid.uuid4())
    start = event("start", session, noon, event_payload={"duration_minutes": True})
    assert codes(send(student, [start])) == ["VALIDATION_ERROR"]
    session = student.start()
    for wrong in (True, False):
        response = student.post(f"/api/sessions/{session}/complete", {"efficiency": wrong})
        assert_problem(response, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("spelled", ["23:59:60Z", "23:59:60.5Z", "23:59:60+00:00", "23:59:60"])
def test_a_leap_second_is_the_last_instant_before_it(student: Student, noon: datetime, spelled: str) -> None:
    """A leap second is accepted in any format; a minute that does not exist is still refused."""
    session = student.start()
    day = noon.date()
    body = {"event_type": "note", "timestamp": f"{day}T{spelled}"}
    response = student.post(f"/api/sessions/{session}/audit", body)
    assert response.json()["data"]["timestamp"].startswith(f"{day}T23:59:59.999")  # claimed times keep milliseconds
    wrong = student.post(f"/api/sessions/{session}/audit", {"event_type": "note", "timestamp": f"{day}T23:60:00Z"})
    assert_problem(wrong, 400, "VALIDATION_ERROR")


def test_times_are_spelled_one_way(student: Student, noon: datetime) -> None:
    """Times in any format come back in UTC, with Z and six digits, in changes too."""
    session = student.start()
    for sent in ("2026-01-31T12:00:00Z", "2026-01-31t14:00:00+02:00", "2026-01-31 12:00:00", "2026-01-31T12:00:00.0Z"):
        body = {"event_type": "note", "timestamp": sent}
        answer = student.post(f"/api/sessions/{session}/audit", body).json()["data"]
        assert answer["timestamp"] == "2026-01-31T12:00:00.000000Z"
    student.complete(session)
    changes = student.get("/api/sync/changes").json()["data"]
    told = [change["data"]["ended_at"] for change in changes if change["kind"] == "session"]
    assert told
    for time in told:
        assert time.endswith("Z")
        assert len(time) == len("2026-01-31T12:00:00.000000Z")


def test_a_description_has_lines(student: Student) -> None:
    """Line breaks of any system are normalised; other control characters are refused, and in names line breaks too."""
    body = {
        "name": "A",
        "visibility": "public",
        "description": "  Mornings:\r\n\t- eight\rEvenings:\n- six \U0001fae9\n",
    }
    created = student.post("/api/spaces/create", body).json()["data"]
    assert created["description"] == "Mornings:\n\t- eight\nEvenings:\n- six \U0001fae9"
    for wrong in ({"description": "a\x0bb"}, {"description": "a\u2028b"}, {"name": "a\nb"}):
        assert_problem(student.post("/api/spaces/create", {**body, **wrong}), 400, "VALIDATION_ERROR")


def test_a_character_newer_than_our_tables_is_seen(student: Student) -> None:
    """A name may consist of an emoji newer than our Unicode tables."""
    body = {"name": "\U0001fae9\U0001fae9", "visibility": "public"}
    assert student.post("/api/spaces/create", body).status_code == 201

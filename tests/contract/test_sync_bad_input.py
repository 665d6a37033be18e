"""Malformed batches and events, each refused separately."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

import pytest

from testing.client import Api, Student, assert_problem
from testing.offline import codes, event, life, send


def test_one_bad_event_never_blocks_the_rest(student: Student, noon: datetime) -> None:
    """Bad events are rejected with a reason, stored and listed; the others are applied."""
    good = life(noon)
    session_id = good[0]["session_id"]
    bad: list[Any] = [
        event("party", session_id, noon),
        event("heartbeat", "no-uuid", noon),
        {"event_type": "heartbeat", "session_id": session_id},
        "nonsense",
        None,
        event("heartbeat", session_id, noon, event_payload={"text": "x" * 5000}),
        event("heartbeat", session_id, noon, event_payload={"text": "nul\0"}),
        event("start", str(uuid.uuid4()), noon, event_payload={"duration_minutes": 100_000}),
        event("complete", session_id, noon, event_payload={"efficiency": 101}),
        {**event("heartbeat", session_id, noon), "created_at": "yesterday"},
        event("heartbeat", session_id, noon, event_payload=[1, 2]),
    ]
    result = send(student, [*bad, *good])
    assert codes(result)[: len(bad)] == ["VALIDATION_ERROR"] * len(bad)
    assert all(r["message"] for r in result["results"][: len(bad)])
    assert result["sessions"][0]["focus_seconds"] == 1800
    listed = student.get("/api/sync/rejected", params={"limit": 100}).json()["data"]
    assert len({e["event_id"] for e in listed}) == len(bad)
    party, much = (next(e for e in listed if e["event_type"] == kind) for kind in ("party", "complete"))
    assert party["created_at"] == bad[0]["created_at"].replace("+00:00", ".000000Z")
    assert much["event_payload"] == {"efficiency": 101}
    assert codes(send(student, bad)) == ["VALIDATION_ERROR"] * len(bad)
    assert len(student.get("/api/sync/rejected", params={"limit": 100}).json()["data"]) == len(bad)


def test_rejected_events_come_in_pages(student: Student, noon: datetime) -> None:
    """Rejected events are paged, the last received first, each on one page only."""
    sent = [event("heartbeat", str(uuid.uuid4()), noon) for _ in range(7)]
    for each in sent:
        send(student, [each])
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = student.get("/api/sync/rejected", params={"limit": 3, **cursor}).json()
        assert 0 < len(page["data"]) <= 3
        found += [each["event_id"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(found) == sorted(each["event_id"] for each in sent)


@pytest.mark.parametrize("name", ["user_id", "created_by"])
def test_an_event_may_name_its_sender(student: Student, noon: datetime, name: str) -> None:
    """An event may name its sender, in upper case too; another user's id is a rejection."""
    batch = [{**each, name: student.user_id.upper()} for each in life(noon)]
    assert send(student, batch)["rejected_count"] == 0
    other = event("heartbeat", batch[0]["session_id"], noon, **{name: str(uuid.UUID(int=5))})
    assert codes(send(student, [other])) == ["VALIDATION_ERROR"]


@pytest.mark.parametrize(
    "bad",
    [
        {"event_type": "\ud800"},
        {"created_at": "0001-01-01T00:00:00Z"},
        {"created_at": "9999-12-31T23:59:59Z"},
        {"user_id": str(uuid.UUID(int=5))},
    ],
    ids=str,
)
def test_an_odd_event_does_not_take_its_batch_down(student: Student, noon: datetime, bad: dict[str, Any]) -> None:
    """Lone surrogates, extreme years and another user's id are single rejections, and the rest is applied."""
    batch = life(noon)
    odd = json.dumps({"events": [{**event("heartbeat", batch[0]["session_id"], noon), **bad}, *batch]})
    response = student.api.request(
        "POST", "/api/sync/offline", token=student.token, content=odd, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 200, response.text
    result = response.json()["data"]
    assert codes(result) == ["VALIDATION_ERROR", *[None] * len(batch)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"events": []},
        {"events": {}},
        {"events": None},
        {"events": [{}], "client_id": ""},
        {"events": [{}], "client_id": "nul\0"},
        {"events": [{}], "sent_at": "now"},
        {"events": [{}], "sent_at": 5},
        {"events": [{}], "xp": 1},
    ],
)
def test_batches_that_are_none_are_refused(student: Student, body: dict[str, Any]) -> None:
    """A body that is not a batch is answered with 400."""
    assert_problem(student.post("/api/sync/offline", body), 400, "VALIDATION_ERROR")


def test_too_many_or_too_large_events_are_a_413(student: Student, noon: datetime) -> None:
    """More than 500 events, or a body over the limit, are refused as a whole; 500 events are accepted."""
    beat = event("heartbeat", str(uuid.uuid4()), noon)
    assert_problem(student.post("/api/sync/offline", {"events": [beat] * 501}), 413, "REQUEST_TOO_LARGE")
    large = {**beat, "event_payload": {"text": "x" * 3_200_000}}
    assert_problem(student.post("/api/sync/offline", {"events": [large]}), 413, "REQUEST_TOO_LARGE")
    assert student.get("/api/sync/status").json()["data"]["rejected_count"] == 0
    assert len(send(student, [beat] * 500)["results"]) == 500
    full = [event("heartbeat", beat["session_id"], noon, event_payload={"text": "x" * 4_085}) for _ in range(500)]
    assert set(codes(send(student, full))) == {"SESSION_NOT_FOUND"}


def test_a_payload_of_1_mb_is_rejected_by_itself(student: Student, noon: datetime) -> None:
    """An event with a payload of 1 MB is rejected and stored without it; its neighbours are applied."""
    batch = life(noon)
    batch.insert(1, event("heartbeat", batch[0]["session_id"], noon, event_payload={"text": "x" * 1_000_000}))
    result = send(student, batch)
    assert codes(result).count("VALIDATION_ERROR") == result["rejected_count"] == 1
    assert student.get("/api/sync/rejected").json()["data"][0]["event_payload"] == {}


def test_payloads_without_end_are_rejected_by_themselves(student: Student, noon: datetime) -> None:
    """Nesting too deep for a recursive parser is one rejected event."""
    deep = '{"a":' * 900 + "1" + "}" * 900
    body = (
        f'{{"events": [{{"session_id": "{uuid.uuid4()}", "event_type": "heartbeat", '
        f'"created_at": "{noon.isoformat()}", "event_payload": {deep}}}]}}'
    )
    response = student.api.request(
        "POST", "/api/sync/offline", token=student.token, content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (200, 400), response.text
    if response.status_code == 200:
        assert codes(response.json()["data"]) == ["VALIDATION_ERROR"]


def test_other_users_sessions_do_not_exist(api: Api, student: Student, noon: datetime) -> None:
    """Events for another user's session are rejected like those for an unknown one, and change nothing."""
    session_id = student.start(30)
    other = api.student()
    kinds = ["heartbeat", "break_start", "complete", "abandon"]
    result = send(other, [event(kind, session_id, noon) for kind in kinds])
    assert codes(result) == ["SESSION_NOT_FOUND"] * 4
    assert codes(send(other, [event("start", session_id, noon)])) == ["CONFLICT"]
    assert student.get("/api/sessions/active").json()["data"]["session_id"] == session_id
    foreign = other.post(
        "/api/sync/offline", {"events": [event("start", session_id, noon)], "user_id": student.user_id}
    )
    assert_problem(foreign, 403, "AUTHORIZATION_ERROR")

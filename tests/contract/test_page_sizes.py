"""Pages fit into a Lambda response and lose no row."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from studysync.web import response_size
from testing.client import Api, Student
from testing.offline import life, send

LAMBDA_BYTES = 6 * 1024 * 1024


def pages(student: Student, path: str, **params: Any) -> list[dict[str, Any]]:
    """Every page of a list; no page but a single one may be empty."""
    found, cursor = [], ""
    while cursor is not None:
        response = student.get(path, params={**params, "cursor": cursor})
        assert response.status_code == 200, response.text
        # The Lambda runtime's marshaller does the same.
        answer = {"statusCode": 200, "headers": dict(response.headers), "body": response.text, "isBase64Encoded": False}
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < LAMBDA_BYTES
        found.append(response.json())
        cursor = found[-1]["next_cursor"]
        assert found[-1]["data"] or len(found) == 1
    return found


def test_the_events_of_a_session_fit_whatever_they_hold(student: Student) -> None:
    """Hundreds of 4 KiB payloads with the worst growth under double JSON encoding are paged once each and in order."""
    session_id = student.start()
    body = {"event_type": "note", "payload": {"t": '"' * 2_040}}
    path = f"/api/sessions/{session_id}/audit"
    for _ in range(16):
        batch = [student.api.send("POST", path, token=student.token, json=body) for _ in range(50)]
        assert {answer.status_code for answer in student.api.at_once(batch)} == {200}
    found = pages(student, path)
    ids = [event["event_id"] for page in found for event in page["data"]]
    assert len(ids) == len(set(ids)) == 801
    assert [event["event_id"] for page in pages(student, path, limit=100) for event in page["data"]] == ids


@pytest.fixture
def rich(api: Api, sql: psycopg.Connection[Any]) -> Student:
    """A student with some rows in every list."""
    student, other = api.student(), api.student()
    began = datetime.now(UTC).replace(microsecond=0)
    sql.execute(
        "update profiles set created_at = created_at - interval '30 days' where user_id = %s", [student.user_id]
    )
    sql.execute("update auth.users set created_at = created_at - interval '30 days' where id = %s", [student.user_id])
    for days in range(2, 6):
        send(student, [*life(began - timedelta(days=days)), {"event_type": "none", "days": days}])
    for number in range(4):
        space = {"name": f"Space {number}", "description": "d" * 900, "visibility": "public"}
        space_id = student.post("/api/spaces/create", space).json()["data"]["space_id"]
        other.post(f"/api/spaces/{space_id}/join")
    return student


def test_every_list_is_cut_by_bytes_and_loses_nothing(rich: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one row a page, lists have more pages and the same rows."""
    space_id = rich.get("/api/spaces/mine").json()["data"][0]["space_id"]
    session_id = rich.get("/api/sessions").json()["data"][0]["session_id"]
    lists: dict[str, dict[str, Any]] = {
        "/api/sessions": {}, f"/api/sessions/{session_id}/audit": {}, "/api/spaces/mine": {},
        f"/api/spaces/{space_id}/activity": {}, "/api/sync/rejected": {}, "/api/sync/changes": {},
        "/api/gamification/xp/history/me": {},
    }  # fmt: skip
    whole = {
        path: [row for page in pages(rich, path, **params) for row in page["data"]] for path, params in lists.items()
    }
    monkeypatch.setattr(response_size, "MAX_PAGE_BYTES", 300)
    for path, params in lists.items():
        found = pages(rich, path, **params)
        assert [row for page in found for row in page["data"]] == whole[path], path
        assert len(whole[path]) > 1, path
        assert len(found) > 1, path

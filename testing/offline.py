"""Batches of offline events, built and sent as by a client."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from testing.client import Student

MINUTE = timedelta(minutes=1)


def event(kind: str, session_id: str, at: datetime, **more: Any) -> dict[str, Any]:
    """Return an event as a client queues it."""
    return {
        "event_id": str(uuid.uuid4()), "session_id": session_id, "event_type": kind,
        "created_at": at.isoformat(), **more,
    }  # fmt: skip


def life(start: datetime, minutes: int = 30, session_id: str | None = None, **payload: Any) -> list[dict[str, Any]]:
    """Return the events of a whole session, with a heartbeat every 5 minutes; `payload` goes into the start."""
    session_id = session_id or str(uuid.uuid4())
    beats = [event("heartbeat", session_id, start + n * MINUTE) for n in range(5, minutes, 5)]
    first = event("start", session_id, start, event_payload={"duration_minutes": minutes, **payload})
    last = event("complete", session_id, start + minutes * MINUTE, event_payload={"efficiency": 90})
    return [first, *beats, last]


def send(student: Student, events: list[Any], **more: Any) -> dict[str, Any]:
    """Send a batch and return its answer; fail unless it has one result per event and correct counts."""
    response = student.post("/api/sync/offline", {"events": events, **more})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()["data"]
    assert len(result["results"]) == len(events)
    counts = [r["status"] for r in result["results"]]
    assert result["synced_count"] == counts.count("applied")
    assert result["duplicate_count"] == counts.count("duplicate")
    assert result["rejected_count"] == counts.count("rejected")
    return result


def codes(result: dict[str, Any]) -> list[str | None]:
    """Return the error code of each result; None for one without an error."""
    return [r["error_code"] for r in result["results"]]


def xp(student: Student) -> int:
    """Return the student's total XP."""
    total: int = student.get("/api/users/me").json()["data"]["xp"]
    return total

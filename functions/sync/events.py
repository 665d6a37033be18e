"""Parses the events of a batch one by one: identity, validated fields, or the reason for rejecting it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID, uuid5

from pydantic import BaseModel, TypeAdapter, ValidationError

from studysync.auth.dependencies import speaks_for_another
from studysync.fields import Timestamp
from studysync.web.event_payload import payload_error
from studysync.web.pagination import DEFERRED
from sync.models import CompletePayload, OfflineEvent, StartPayload

_IDENTITY = UUID("6d0c5d0e-52f6-4d1c-9a7b-0f6f2d1f3c11")  # of event ids that are derived because the client sent none
_PAYLOADS: dict[str, type[BaseModel]] = {"start": StartPayload, "complete": CompletePayload}
_TIME: TypeAdapter[datetime] = TypeAdapter(Timestamp, config=DEFERRED)


class ReadEvent(TypedDict):
    """An event as the database expects it."""

    event_id: str
    session_id: str | None
    event_type: str | None
    payload: dict[str, Any]
    created_at: str | None
    fingerprint: str


class InvalidEvent(ReadEvent):
    """A rejected event, and the reason."""

    error_code: str
    message: str


class _Content(TypedDict):
    session_id: str
    event_type: str
    payload: dict[str, Any]
    created_at: str


def read_event(raw: Any, user_id: UUID) -> ReadEvent:
    """Return the event as the database expects it, or an `InvalidEvent`."""
    try:
        event = OfflineEvent.model_validate(raw)
        payload = _checked_payload(event)
        if speaks_for_another(user_id, raw.get("user_id"), raw.get("created_by")):
            raise ValueError("user_id: an event can only speak for its sender")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return _rejected(raw, user_id, f"{where}: {first['msg']}".removeprefix(": "))
    except ValueError as error:
        return _rejected(raw, user_id, str(error))
    content: _Content = {
        "session_id": str(event.session_id),
        "event_type": event.event_type,
        "payload": payload,
        "created_at": event.created_at.isoformat(),
    }
    if event.event_id is not None:
        return {**content, "event_id": str(event.event_id), "fingerprint": _digest(content)}
    # Old phones send no id: their event is identified by user, session, type and time.
    identity = "|".join([str(user_id), content["session_id"], event.event_type, content["created_at"]])
    return {**content, "event_id": str(uuid5(_IDENTITY, identity)), "fingerprint": ""}


def _checked_payload(event: OfflineEvent) -> dict[str, Any]:
    payload = event.event_payload or {}
    if wrong := payload_error(payload):
        raise ValueError(wrong)
    if (model := _PAYLOADS.get(event.event_type)) is None:
        return payload
    return model.model_validate(payload).model_dump(mode="json", exclude_none=True)


def _rejected(raw: Any, user_id: UUID, message: str) -> InvalidEvent:
    fields = raw if isinstance(raw, dict) else {}
    content = _digest(raw)
    event_type, payload = fields.get("event_type"), fields.get("event_payload")
    return {
        "event_id": _uuid(fields.get("event_id")) or str(uuid5(_IDENTITY, f"{user_id}|{content}")),
        "session_id": _uuid(fields.get("session_id")),
        "event_type": _printable(event_type[:50]) if isinstance(event_type, str) else None,
        "payload": payload if isinstance(payload, dict) and not payload_error(payload) else {},
        "created_at": _time(fields.get("created_at")),
        "fingerprint": content,
        "error_code": "VALIDATION_ERROR",
        "message": _printable(message[:500]),
    }


def _printable(text: str) -> str:
    # PostgreSQL cannot store NUL and lone surrogates.
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _uuid(value: Any) -> str | None:
    try:
        return str(UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _time(value: Any) -> str | None:
    try:
        return _TIME.validate_python(value).isoformat()
    except ValidationError:
        return None


def _digest(value: Any) -> str:
    try:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        canonical = "nested without end"
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()

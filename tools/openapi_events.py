"""Schemas that span several functions: payloads of events, data of changes, error details."""

from __future__ import annotations

from typing import Any

Schemas = dict[str, Any]

_CHANGED = {
    "session": "Session",
    "xp": "XpTotal",
    "badge": "EarnedBadge",
    "membership": "Membership",
    "profile": "OwnProfile",
}
_PAYLOADS = {"start": ("StartEvent", "StartPayload"), "complete": ("CompleteEvent", "CompletePayload")}
_DETAILS: dict[str, tuple[dict[str, Any], str]] = {
    "session_id": (
        {"type": "string", "format": "uuid"},
        "SESSION_ALREADY_ACTIVE, CONFLICT: the session in conflict.",
    ),
    "field": ({"type": "string"}, "CONFLICT, USER_ALREADY_EXISTS and others: the conflicting field."),
    "capacity": ({"type": "integer"}, "SPACE_FULL: the maximum number of members."),
    "max_spaces": ({"type": "integer"}, "TOO_MANY_SPACES: the maximum number of spaces per account."),
    "max_events": ({"type": "integer"}, "REQUEST_TOO_LARGE: the maximum number of events in a batch."),
    "max_request_bytes": ({"type": "integer"}, "REQUEST_TOO_LARGE: the maximum size of a body in bytes."),
}


def add_events(schemas: Schemas) -> None:
    """Describe events, changes and details by kind, so that nobody has to guess; `schemas` is changed in place."""
    from sync.models import CompletePayload, OfflineEvent, StartPayload

    for model in (StartPayload, CompletePayload):
        schemas[model.__name__] = model.model_json_schema()
    _split(schemas, "OfflineEvent", OfflineEvent.model_json_schema())
    schemas["XpTotal"] = {
        "type": "object",
        "description": "A user's XP in a change.",
        "required": ["total_xp", "level"],
        "properties": {"total_xp": {"type": "integer"}, "level": {"type": "integer"}},
    }
    _split_changes(schemas)
    for name, (field, text) in _DETAILS.items():
        schemas["ErrorDetails"]["properties"].setdefault(name, {**field, "description": text})


def _split(schemas: Schemas, name: str, event: dict[str, Any]) -> None:
    """Create the schema of one kind of event from the model of all events."""
    kinds = event["properties"]["event_type"]["enum"]
    named = {kind: _PAYLOADS.get(kind, ("MarkEvent", None)) for kind in kinds}
    for variant, payload in dict.fromkeys(named.values()):
        own = [kind for kind in kinds if named[kind][0] == variant]
        properties = {**event["properties"], "event_type": {"type": "string", "enum": own}}
        properties["event_payload"] = {"$ref": f"#/components/schemas/{payload}"} if payload else {
            "type": "object", "additionalProperties": True, "description": "Free-form data, at most 4 KiB.",
        }  # fmt: skip
        properties["event_id"] = {
            "type": "string",
            "format": "uuid",
            "description": "Generate it when the event happens.",
        }
        schemas[variant] = {**event, "title": variant, "properties": properties}
    schemas[name] = _one_of({kind: variant for kind, (variant, _) in named.items()}, "event_type", event["description"])


def _split_changes(schemas: Schemas) -> None:
    change = schemas["Change"]
    variants = {kind: f"{kind.capitalize()}Change" for kind in _CHANGED}
    for kind, variant in variants.items():
        data = {"anyOf": [{"$ref": f"#/components/schemas/{_CHANGED[kind]}"}, {"type": "null"}]}
        properties = {**change["properties"], "kind": {"type": "string", "enum": [kind]}}
        properties["data"] = {**data, "description": change["properties"]["data"]["description"]}
        schemas[variant] = {**change, "title": variant, "properties": properties}
    schemas["Change"] = _one_of(variants, "kind", change["description"])


def _one_of(variants: dict[str, str], by: str, description: str) -> dict[str, Any]:
    where = {kind: f"#/components/schemas/{variant}" for kind, variant in variants.items()}
    return {
        "description": description,
        "oneOf": [{"$ref": reference} for reference in dict.fromkeys(where.values())],
        "discriminator": {"propertyName": by, "mapping": where},
    }

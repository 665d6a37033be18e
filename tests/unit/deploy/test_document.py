"""The OpenAPI document: the possible answers of each operation, and where ids come from."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from testing.client import openapi
from tools.openapi_errors import _OF_DOMAIN

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in openapi()["paths"].items()
    for method, operation in methods.items()
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_status_is_told(name: str) -> None:
    """No operation hides its errors behind `default`, and each error named is described."""
    responses: dict[str, Any] = OPERATIONS[name]["responses"]
    assert "default" not in responses
    assert {"500", "503"} < responses.keys()
    for answer in responses.values():
        if "$ref" in answer:
            assert answer["$ref"].rpartition("/")[2] in openapi()["components"]["responses"]


def test_no_operation_that_has_gone_is_listed() -> None:
    """The list of domain errors names only existing operations."""
    assert _OF_DOMAIN.keys() <= OPERATIONS.keys()


def test_links_lead_to_operations() -> None:
    """Each link names an existing operation and one of its parameters."""
    by_id = {operation["operationId"]: operation for operation in OPERATIONS.values()}
    links = [link for o in OPERATIONS.values() for r in o["responses"].values() for link in r.get("links", {}).values()]
    assert len(links) > 20
    for link in links:
        target = by_id[link["operationId"]]
        names = {parameter["name"] for parameter in target.get("parameters", [])}
        assert link.get("parameters", {}).keys() <= names


def _contents(operation: dict[str, Any]) -> list[dict[str, Any]]:
    answers = [
        openapi()["components"]["responses"][answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for answer in operation["responses"].values()
    ]
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    return [
        content
        for holder in [*bodies, *answers]
        for kind, content in holder.get("content", {}).items()
        if "json" in kind
    ]


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"GET /api/openapi.json"}))
def test_every_body_has_an_example_that_its_schema_allows(name: str) -> None:
    """Requests and answers, errors included, have realistic examples."""
    contents = _contents(OPERATIONS[name])
    assert contents or name in {"GET /api/docs", "GET /health/dashboard"}
    for content in contents:
        whole = {**content["schema"], "components": openapi()["components"]}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(content["example"])


def test_names_make_good_methods_and_types() -> None:
    """Operation ids are short, and types are named like their schemas, without Python's generic names."""
    for operation in OPERATIONS.values():
        assert re.fullmatch(r"[a-z]+[A-Za-z]{2,24}", operation["operationId"])
    for name, schema in openapi()["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name)
        assert schema.get("title", name) == name


def _nodes(node: Any) -> list[dict[str, Any]]:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return [*([node] if isinstance(node, dict) else []), *(found for each in inner for found in _nodes(each))]


def test_nothing_is_in_it_that_generators_break_on() -> None:
    """The document has no constants, no null defaults, ASCII patterns only, and optional instead of nullable inputs."""
    for node in _nodes(openapi()):
        assert "const" not in node
        assert node.get("default", ...) is not None
        assert isinstance(node.get("pattern", ""), dict) or node.get("pattern", "").isascii()
        assert "\\u" not in str(node.get("pattern"))
    for operation in OPERATIONS.values():
        inputs = [parameter["schema"] for parameter in operation.get("parameters", [])]
        if "requestBody" in operation:
            inputs.append(operation["requestBody"]["content"]["application/json"]["schema"])
        assert not any({"type": "null"} in schema.get("anyOf", []) for schema in inputs)


@pytest.mark.parametrize(("name", "by"), [("OfflineEvent", "event_type"), ("Change", "kind")])
def test_kinds_are_told_apart(name: str, by: str) -> None:
    """Each kind of event and change has a schema of its own, selected by the discriminator."""
    schemas = openapi()["components"]["schemas"]
    mapping = schemas[name]["discriminator"]["mapping"]
    for kind, where in mapping.items():
        assert kind in schemas[where.rpartition("/")[2]]["properties"][by]["enum"]
    assert {option["$ref"] for option in schemas[name]["oneOf"]} == set(mapping.values())

"""The OpenAPI document, beyond being that of the code: what each operation may answer, and where ids come from."""

from __future__ import annotations

from typing import Any

import pytest

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
    """The list of what the domains decide names operations that there are."""
    assert _OF_DOMAIN.keys() <= OPERATIONS.keys()


def test_links_lead_to_operations() -> None:
    """Each link names an operation, and a parameter that this operation has."""
    by_id = {operation["operationId"]: operation for operation in OPERATIONS.values()}
    links = [link for o in OPERATIONS.values() for r in o["responses"].values() for link in r.get("links", {}).values()]
    assert len(links) > 20
    for link in links:
        target = by_id[link["operationId"]]
        names = {parameter["name"] for parameter in target.get("parameters", [])}
        assert link.get("parameters", {}).keys() <= names

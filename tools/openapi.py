"""The single OpenAPI 3.1 document, merged from the apps of all functions.

`python -m tools.openapi` writes it, `--check` fails if the committed one is stale.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi.openapi.utils import get_openapi

from tools.openapi_errors import add_errors
from tools.openapi_events import add_events
from tools.openapi_examples import add_examples
from tools.openapi_links import add_links
from tools.openapi_names import add_names, rename_schemas
from tools.openapi_shape import simplify

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "functions" / "health" / "openapi.json"
DOMAINS = ("users", "sessions", "gamification", "spaces", "sync", "health")


def build() -> dict[str, Any]:
    """Return the document."""
    os.environ.setdefault("SUPABASE_URL", "http://localhost")  # the apps are built, never run
    from studysync.web.problem_details import ProblemDetails
    from studysync.web.routing import LazyRoutes

    found = [route for domain in DOMAINS for route in import_module(f"{domain}.app").app.routes]
    routes = [each for route in found for each in (route.load() if isinstance(route, LazyRoutes) else [route])]
    document: dict[str, Any] = get_openapi(
        title="StudySync",
        version="1.0.0",
        summary="Study sessions, XP, streaks, spaces and offline sync.",
        routes=routes,
        separate_input_output_schemas=False,
    )
    schemas = document["components"]["schemas"]
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schemas["ProblemDetails"].pop("$defs")
    add_events(schemas)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)  # FastAPI's own schemas, which ours replace
    add_errors(document)
    add_names(document)
    add_links(document)
    simplify(document)
    document = rename_schemas(document)
    add_examples(document)
    document["components"]["schemas"] = dict(sorted(document["components"]["schemas"].items()))
    return document


def main() -> int:
    """Write the document, or compare it with ``--check``; returns the exit status."""
    text = json.dumps(build(), indent=2, ensure_ascii=False) + "\n"
    if "--check" not in sys.argv:
        DOCUMENT.write_text(text, encoding="utf-8")
        return 0
    if not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text:
        print("The OpenAPI document is stale: run `make openapi`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

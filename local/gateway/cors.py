"""CORS as in the gateway: preflights never reach a function, and the function's own CORS headers are ignored."""

from urllib.parse import unquote

from local.gateway.responses import HttpResponse
from local.template import Cors

_PREFIX = "access-control-"


def is_preflight(method: str, headers: dict[str, str]) -> bool:
    """Return whether the request is a preflight."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def is_shared(path: str) -> bool:
    """Return whether pages of other origins may call a path: not below `/health`, however that is spelled.

    A deployed HTTP API has one configuration for all paths; there, only the operators' tokens keep pages out.
    """
    while (plain := unquote(path)) != path:
        path = plain
    return not path.lower().startswith("/health")


def preflight(cors: Cors, headers: dict[str, str]) -> HttpResponse:
    """Return the response to a preflight; without permission if the configuration grants none."""
    allowed = _origin(cors, headers["origin"])
    if allowed is None or not _method_allowed(cors, headers["access-control-request-method"]):
        return HttpResponse(204)
    answer = [*allowed, ("access-control-allow-methods", ",".join(cors.methods))]
    if cors.headers:
        answer.append(("access-control-allow-headers", ",".join(cors.headers)))
    if cors.max_age is not None:
        answer.append(("access-control-max-age", str(cors.max_age)))
    return HttpResponse(204, headers=answer)


def decorate(cors: Cors, headers: dict[str, str], response: HttpResponse) -> HttpResponse:
    """Return a function's response with the gateway's CORS headers instead of its own."""
    if not cors.origins:
        return response
    own = [(name, value) for name, value in response.headers if not name.startswith(_PREFIX)]
    allowed = _origin(cors, headers["origin"]) if "origin" in headers else None
    if allowed is not None:
        own += allowed
        if cors.expose:
            own.append(("access-control-expose-headers", ",".join(cors.expose)))
    return HttpResponse(response.status, response.body, own)


def _method_allowed(cors: Cors, method: str) -> bool:
    return "*" in cors.methods or method in cors.methods


def _origin(cors: Cors, origin: str) -> list[tuple[str, str]] | None:
    if "*" in cors.origins:
        allowed = [("access-control-allow-origin", "*")]
    elif any(_matches(entry, origin) for entry in cors.origins):
        allowed = [("access-control-allow-origin", origin), ("vary", "origin")]
    else:
        return None
    return [*allowed, ("access-control-allow-credentials", "true")] if cors.credentials else allowed


def _matches(allowed: str, origin: str) -> bool:
    """Return the pattern of a configured origin; in `https://*` and the like, `*` matches every host."""
    return allowed == origin or (allowed in {"http://*", "https://*"} and origin.startswith(allowed[:-1]))

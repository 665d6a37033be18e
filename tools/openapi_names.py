"""The names that client generators use: operationIds, summaries, names of schemas, tags and servers."""

from __future__ import annotations

import json
import re
from typing import Any

Document = dict[str, Any]

# The routes whose function has a name that is clear only in its module, such as `start` in sessions.
_OPERATIONS = {
    "POST /api/auth/register": "registerUser",
    "POST /api/auth/login": "signIn",
    "POST /api/auth/refresh": "refreshTokens",
    "POST /api/auth/logout": "signOut",
    "GET /api/auth/sessions": "listSignIns",
    "DELETE /api/auth/sessions/{session_id}": "endSignIn",
    "GET /api/users/me/audit": "listAuditTrail",
    "POST /api/sessions/start": "startSession",
    "GET /api/sessions/active": "getActiveSession",
    "POST /api/sessions/{session_id}/heartbeat": "sendHeartbeat",
    "POST /api/sessions/{session_id}/audit": "recordSessionEvent",
    "GET /api/sessions/{session_id}/audit": "listSessionEvents",
    "POST /api/sessions/{session_id}/complete": "completeSession",
    "POST /api/sessions/{session_id}/abandon": "abandonSession",
    "GET /api/gamification/xp/history/{user_id}": "listXpHistory",
    "GET /api/gamification/xp/{user_id}": "getXp",
    "GET /api/gamification/badges": "listBadges",
    "GET /api/gamification/badges/{user_id}": "getUserBadges",
    "GET /api/gamification/streaks/{user_id}": "getStreaks",
    "GET /api/gamification/leaderboard/{period}": "getLeaderboard",
    "POST /api/spaces/create": "createSpace",
    "GET /api/spaces": "searchSpaces",
    "GET /api/spaces/mine": "listOwnSpaces",
    "POST /api/spaces/join": "joinSpaceByCode",
    "POST /api/spaces/{space_id}/join": "joinSpace",
    "POST /api/spaces/{space_id}/leave": "leaveSpace",
    "GET /api/spaces/{space_id}/members": "listMembers",
    "GET /api/spaces/{space_id}/membership": "getMembership",
    "GET /api/spaces/{space_id}/activity": "listActivity",
    "POST /api/sync/rejected/{event_id}/retry": "retryRejectedEvent",
    "GET /api/sync/rejected": "listRejectedEvents",
    "GET /api/sync/changes": "listChanges",
    "GET /api/sync/status": "getSyncStatus",
    "GET /health": "getHealth",
    "GET /health/liveness": "getLiveness",
    "GET /health/readiness": "getReadiness",
    "GET /health/dashboard": "getDashboard",
    "GET /health/detailed": "getDetailedHealth",
    "GET /health/dependencies": "getDependencies",
    "GET /health/metrics": "getMetrics",
    "GET /api/users/me/export": "exportAccount",
    "GET /health/environments": "listEnvironments",
    "GET /health/alarms": "getAlarms",
    "DELETE /api/auth/sessions/{auth_session_id}": "endSignIn",
    "GET /health/slow-requests": "listSlowRequests",
    "GET /health/errors": "listErrors",
    "GET /health/circuits": "listCircuits",
    "GET /api/openapi.json": "getOpenapi",
    "GET /api/docs": "getDocs",
    "POST /health/accounts/{user_id}/suspend": "suspendAccount",
    "POST /health/accounts/{user_id}/restore": "restoreAccount",
}
_TAGS = {
    "auth": "Signing in and out, and account security.",
    "users": "Profiles and accounts.",
    "sessions": "Study sessions, from start to end.",
    "gamification": "XP, badges, streaks and leaderboards.",
    "spaces": "Groups that study together.",
    "sync": "Uploading offline events and downloading changes.",
    "health": "The public health checks.",
    "operations": "For operators.",
    "pages": "Web pages.",
}
_SERVERS = [{"url": "/", "description": "The server of this document."}]
_RENAMED = {"Success_Union_OwnProfile__PublicProfile__": "ProfileResponse", "RequestBody": "EmptyBody"}
_SUCCESS = re.compile(r"Success_(?:(?P<list>list)_)?(?P<name>\w+?)_+$")
_PAGE = re.compile(r"Page_(?P<name>\w+?)_+$")


def add_names(document: Document) -> None:
    """Add names to operations, describe tags and servers, and define the base of relative URLs."""
    taken: dict[str, str] = {}
    tags: set[str] = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            route = f"{method.upper()} {path}"
            name = _OPERATIONS.get(route) or _camel(operation["operationId"].partition("_api_")[0], route)
            if name in taken:
                raise ValueError(f"{route} and {taken[name]} are both {name}: rename one in tools/openapi_names.py")
            taken[name] = route
            operation["operationId"] = name
            operation["summary"] = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).capitalize()
            tags |= set(operation["tags"])
    document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items() if name in tags]
    if unknown := tags - _TAGS.keys():
        raise ValueError(f"Say in tools/openapi_names.py what is under {', '.join(sorted(unknown))}")
    document["servers"] = _SERVERS


def _camel(identifier: str, route: str) -> str:
    # FastAPI's own identifier consists of the function's name, the path and the method.
    path = re.sub(r"\W", "_", route.partition(" ")[2])
    first, *rest = identifier.removesuffix(f"{path}_{route.partition(' ')[0].lower()}").split("_")
    return first + "".join(word.capitalize() for word in rest)


def rename_schemas(document: Document) -> Document:
    """Return the document with `SessionResponse` and `SessionPage` for ``Success[Session]`` and ``Page[Session]``."""
    names = {name: _readable(name) for name in document["components"]["schemas"]}
    if len(set(names.values())) < len(names):
        raise ValueError(f"Two schemas have one name: {sorted(names.values())}")
    text = json.dumps(document)
    for old, new in names.items():
        text = text.replace(f'"#/components/schemas/{old}"', f'"#/components/schemas/{new}"')
    renamed: Document = json.loads(text)
    schemas = renamed["components"]["schemas"]
    renamed["components"]["schemas"] = {
        names[name]: {**schema, "title": names[name]} for name, schema in schemas.items()
    }
    return renamed


def _readable(name: str) -> str:
    if name in _RENAMED:
        return _RENAMED[name]
    if found := _SUCCESS.match(name):
        return f"{found['name']}{'ListResponse' if found['list'] else 'Response'}"
    if found := _PAGE.match(name):
        return f"{found['name']}Page"
    return name

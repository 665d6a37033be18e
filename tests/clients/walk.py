"""Walks the whole API with the client that openapi-generator made for Python, in the environment of `make clients`.

`python walk.py FOLDER URL OPERATOR_TOKEN DOCUMENT` exits with 0 when every operation was called, every answer had
its type, and every step of a student succeeded.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER, URL, OPERATOR, DOCUMENT = sys.argv[1:]
sys.path.insert(0, FOLDER)
client = import_module("studysync_openapi")
api = import_module("studysync_openapi.api")
document = json.loads(Path(DOCUMENT).read_text(encoding="utf-8"))
OPERATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    operation["operationId"]: (operation["tags"][0], operation)
    for methods in document["paths"].values()
    for operation in methods.values()
}
PAGES = {"getDocs", "getDashboard"}
LAST = ("signOut", "deleteAccount", "openCircuit", "suspendAccount")
walked: dict[str, str] = {}
known: dict[str, Any] = {"user_id": "me", "period": "weekly", "name": "database"}


class Caller:
    """Calls operations by their ids with one token."""

    def __init__(self, token: str | None = None) -> None:
        self.client = client.ApiClient(client.Configuration(host=URL, access_token=token))

    def __call__(self, name: str, body: Any = None, /, **parameters: Any) -> Any:
        """Call an operation; a body is given as a dictionary and converted to the operation's own type."""
        tag, operation = OPERATIONS[name]
        method = getattr(getattr(api, f"{tag.capitalize()}Api")(self.client), _snake(name))
        if "requestBody" in operation and body is not None:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            parameters[_snake(reference)] = getattr(client, reference).from_dict(body)
        walked[name] = "failed"
        answer = method(**parameters)
        walked[name] = "well"
        return answer

    def try_out(self, name: str) -> None:
        """Call an operation with the document's example; an error is accepted if the document lists it."""
        operation = OPERATIONS[name][1]
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        needed = [p for p in operation.get("parameters", []) if p["required"]]
        parameters = {_snake(p["name"]): _value(p) for p in needed}
        try:
            self(name, content.get("example"), **parameters)
        except client.ApiException as error:
            if str(error.status) not in operation["responses"] or not client.ProblemDetails.from_json(error.body):
                raise
            walked[name] = f"refused with {error.status}"


def _value(parameter: dict[str, Any]) -> Any:
    found = known.get(parameter["name"], parameter.get("example"))
    return known["me"] if found == "me" and parameter["schema"].get("format") == "uuid" else found


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def sign_up() -> tuple[str, dict[str, str]]:
    """Return the token and the credentials of a new account."""
    name = f"w_{uuid.uuid4().hex[:12]}"
    credentials = {"username": name, "email": f"{name}@example.test", "password": "correct horse 1"}
    return Caller()("registerUser", credentials).data.token, credentials


def main() -> int:
    """Walk through the API; returns the exit status."""
    token, credentials = sign_up()
    mine = {name: credentials[name] for name in ("email", "password")}
    tokens = Caller()("signIn", mine).data
    Caller()("refreshTokens", {"refresh_token": tokens.refresh_token})
    me = Caller(token)
    profile = me("getOwnProfile").data
    known["me"] = str(profile.user_id)
    me("changeProfile", {"timezone": "Europe/Berlin", "daily_goal_minutes": 90})
    assert me("getUser", user_id="me").data.actual_instance.email == credentials["email"]
    assert me("searchUsers", query=profile.username).data[0].username == profile.username
    online(me)
    offline(me)
    people(me)
    for name in sorted(OPERATIONS.keys() - walked.keys() - PAGES - set(LAST)):
        caller = Caller(OPERATOR) if OPERATIONS[name][0] == "operations" else me
        caller.try_out(name)
    for name in LAST:
        (Caller(OPERATOR) if OPERATIONS[name][0] == "operations" else Caller(sign_up()[0])).try_out(name)
    Caller(OPERATOR)("resetCircuit", name="database")
    missing = OPERATIONS.keys() - walked.keys() - PAGES
    assert not missing, missing
    assert len([outcome for outcome in walked.values() if outcome == "well"]) > len(walked) * 0.8, walked
    return 0


def online(me: Caller) -> None:
    """A session from start to end, and its XP and badges."""
    session = me("startSession", {"duration_minutes": 25, "subject": "Algebra"}).data
    known["session_id"] = session.session_id
    assert me("getActiveSession").data.subject == "Algebra"
    me("sendHeartbeat", session_id=session.session_id)
    me("recordSessionEvent", {"event_type": "note", "payload": {"page": 3}}, session_id=session.session_id)
    assert len(me("listSessionEvents", session_id=session.session_id).data) >= 2
    done = me("completeSession", session_id=session.session_id).data
    assert done.status == "completed"
    assert me("getSession", session_id=session.session_id).data.xp_awarded == done.xp_awarded
    assert me("listSessions", status="completed").data[0].session_id == session.session_id
    given_up = me("startSession", {"duration_minutes": 25}).data
    me("abandonSession", session_id=given_up.session_id)
    assert me("getXp", user_id="me").data.total_xp == done.total_xp
    assert me("listXpHistory", user_id="me").data[0].amount > 0
    assert len(me("listBadges").data) >= 12
    assert [badge.key for badge in me("getUserBadges", user_id="me").data.earned_badges] == ["first_session"]
    assert me("getStreaks", user_id="me").data.current_streak == 0  # a streak day needs one minute
    assert me("getLeaderboard", period="weekly").data.me.xp == done.total_xp


def offline(me: Caller) -> None:
    """A batch with every kind of payload, one of them rejected, and the resulting changes."""
    session, now = str(uuid.uuid4()), datetime.now(UTC)
    steps = [("start", -90, {"duration_minutes": 25}), ("heartbeat", -80, {}), ("complete", -60, {"efficiency": 90})]
    events = [
        {"event_id": str(uuid.uuid4()), "session_id": session, "event_type": kind, "event_payload": payload,
         "created_at": (now + timedelta(minutes=at)).isoformat()}
        for kind, at, payload in steps
    ]  # fmt: skip
    stray = {**events[2], "event_id": str(uuid.uuid4()), "session_id": str(uuid.uuid4())}
    answer = me("syncOffline", {"events": [*events, stray], "client_id": "walk"}).data
    assert (answer.synced_count, answer.rejected_count, len(answer.sessions)) == (3, 1, 1)
    assert str(me("listRejectedEvents").data[0].event_id) == stray["event_id"]
    assert me("retryRejectedEvent", event_id=stray["event_id"]).data.status == "rejected"
    assert {change.actual_instance.kind for change in me("listChanges").data} >= {"session", "xp", "badge", "profile"}
    assert me("getSyncStatus", client_id="walk").data.applied_count == 3


def people(me: Caller) -> None:
    """A space with two members, and everything that an owner can do."""
    other_token, _ = sign_up()
    other = Caller(other_token)
    space = me("createSpace", {"name": "Analysis", "visibility": "public", "description": "One\nTwo"}).data
    place = {"space_id": space.space_id}
    known.update(place)
    other("joinSpaceByCode", {"invite_code": space.invite_code})
    other("leaveSpace", **place)
    joined = other("joinSpace", **place).data
    assert {member.role for member in me("listMembers", **place).data} == {"owner", "member"}
    assert other("getMembership", **place).data.is_member
    me("changeRole", {"role": "moderator"}, **place, user_id=str(joined.user_id))
    assert me("getSpace", **place).data.member_count == 2
    assert me("listOwnSpaces").data[0].name == "Analysis"
    me("searchSpaces", query="Analysis")
    me("changeSpace", {"capacity": 10}, **place)
    assert me("renewInviteCode", **place).data.invite_code != space.invite_code
    assert me("listActivity", **place).data
    me("removeMember", **place, user_id=str(joined.user_id), ban=True)
    me("deleteSpace", **place)


if __name__ == "__main__":
    sys.exit(main())

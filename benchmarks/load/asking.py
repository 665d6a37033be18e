"""The clients' request logic: classify answers and retry writes.

Like a careful client, it retries an unacknowledged write under the same key or id. Unlike one, it ignores the delay in
`Retry-After` and waits at most half a second, so that a recovery is noticed at once.
"""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from locust.contrib.fasthttp import FastHttpSession

from benchmarks.load.record import BROKEN, GATEWAY, OK, OUTSIDE, REFUSED, Asked, Began, Recorder

_IMPATIENCE = 0.5  # seconds
Data = dict[str, Any]


@dataclass(frozen=True)
class Write:
    """A write to send until it is acknowledged.

    Attributes:
        kind, of: its kind and the data that identifies it, for the comparison of the record with the database.
        name: method and path, with placeholders for ids.
        path: path below /api.
        body: JSON body.
        keyed: whether it is sent with an Idempotency-Key; other writes carry an id in the body or path.
        keep: fields of the answer to record.
        refusals: error codes that settle the write: it was not done and will not be.
    """

    kind: str
    name: str
    path: str
    of: Data
    body: Data = field(default_factory=dict)
    keyed: bool = True
    keep: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """An answer: the data of a success, or the error code and details."""

    status: int
    seen: str
    data: Data
    code: str = ""
    details: Data = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether the request succeeded."""
        return self.seen == OK and not self.code


class Asker:
    """Sender of one student's requests.

    Args:
        client: the HTTP session.
        recorder: the record to write to.
        persistence: how long, in seconds, to retry an unacknowledged write; 0 does not retry.
        repeats: share of acknowledged writes, from 0 to 1, that are sent again to check that the answer is the same.
    """

    def __init__(self, client: FastHttpSession, recorder: Recorder, *, persistence: float, repeats: float) -> None:
        self._client, self._recorder = client, recorder
        self.persistence, self._repeats = persistence, repeats
        self.user = ""
        self.token = ""

    def read(self, name: str, path: str = "") -> Answer:
        """Send a GET request; `path` defaults to the path in `name`."""
        return self._ask("GET", name, path or name.partition(" ")[2], {}, None)

    def post(self, name: str, path: str, body: Data) -> Answer:
        """Send a POST that is not recorded as a write, such as a sign-in."""
        return self._ask("POST", name, path, {}, body)

    def write(self, write: Write) -> Answer:
        """Send a write until it is acknowledged, refused for good or outside the contract, or time runs out."""
        number = str(uuid.uuid4())
        self._recorder.write(Began(number, write.kind, self.user, write.of))
        headers = {"Idempotency-Key": number} if write.keyed else {}
        end = time.monotonic() + self.persistence
        while True:
            answer = self._ask("POST", write.name, write.path, headers, write.body, write, number)
            if answer.seen in {OK, OUTSIDE} or time.monotonic() > end:
                break
            time.sleep(random.uniform(0.1, _IMPATIENCE))
        if answer.good and random.random() < self._repeats:
            self._repeat(write, headers, answer)
        return answer

    def _repeat(self, write: Write, headers: dict[str, str], first: Answer) -> None:
        again = self._ask("POST", write.name, write.path, headers, write.body)
        if again.good and any(again.data.get(name) != first.data.get(name) for name in write.keep):
            self.object(write.name, "a repeat got another answer")

    def object(self, name: str, why: str) -> None:
        """Record that an answer contradicts an earlier one."""
        self._recorder.write(Asked(time.time(), 0, name, 200, OUTSIDE, note=why))

    def _ask(
        self,
        method: str,
        name: str,
        path: str,
        headers: dict[str, str],
        body: Data | None,
        write: Write | None = None,
        number: str | None = None,
    ) -> Answer:
        sent = {**headers, **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        began = time.perf_counter()
        with self._client.request(
            method, f"/api{path}", headers=sent, json=body, name=name, catch_response=True
        ) as got:
            ms = (time.perf_counter() - began) * 1e3
            answer, note = _understand(got, write.refusals if write else ("NOT_FOUND",))
            if answer.seen == OK:
                got.success()
            else:
                got.failure(f"{answer.status} {answer.seen}")
        kept = {key: answer.data.get(key) for key in write.keep} if write and answer.good else {}
        if answer.code:
            kept = {"refused": answer.code}
        final = write is not None and answer.seen == OK
        self._recorder.write(Asked(time.time(), ms, name, answer.status, answer.seen, number, final, kept, note))
        return answer


def _understand(got: Any, refusals: tuple[str, ...]) -> tuple[Answer, str]:
    status = int(got.status_code or 0)
    if status == 0:
        return Answer(0, BROKEN, {}), str(got.error)[:200]
    try:
        body = got.json()
        body = body if isinstance(body, dict) else {}
    except ValueError:
        return Answer(status, OUTSIDE, {}), "no JSON"
    if status < 300 and body.get("success"):
        data = body.get("data")
        return Answer(status, OK, data if isinstance(data, dict) else {"list": data}), ""
    return _failure(status, body, got.headers, refusals)


def _failure(status: int, body: Data, headers: Any, refusals: tuple[str, ...]) -> tuple[Answer, str]:
    code = str(body.get("error_code", ""))
    if status in {429, 503} and code and headers.get("Retry-After"):
        return Answer(status, REFUSED, {}, code), ""
    if status in {500, 502, 503, 504} and not code and set(body) == {"message"}:
        return Answer(status, GATEWAY, {}), ""
    if code in refusals:
        return Answer(status, OK, {}, code, body.get("details") or {}), ""
    return Answer(status, OUTSIDE, {}, code), str(body)[:300]

"""A write request of a route: the caller, the target, and the idempotency key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar
from uuid import uuid4

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from studysync.auth.dependencies import CurrentUser, refuse_other_user
from studysync.auth.tokens import Caller
from studysync.context import request_context
from studysync.db.client import database
from studysync.fields import IDEMPOTENCY_KEY_PATTERN, RequestBody
from studysync.telemetry.audit import audit_logger

Answer = TypeVar("Answer", bound=BaseModel)

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=IDEMPOTENCY_KEY_PATTERN,
        description="Any key you choose. A repeat with the same key returns the first answer and changes nothing.",
    ),
]


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A write request of the caller.

    Attributes:
        caller: who sent it.
        target: method, path and query, which a repeat must have in common.
        key: the client's Idempotency-Key, or ``None``.
    """

    caller: Caller
    target: str
    key: str | None

    async def run_once(
        self, operation: str, answer: type[Answer], body: RequestBody | None = None, **arguments: Any
    ) -> Answer:
        """As `run`, for operations that answer differently once done, such as leaving a space.

        Without a key from the client, one is generated, so that retries of our own transport are recognised.
        """
        write = self if self.key else replace(self, key=f"once:{uuid4()}")
        return await write.run(operation, answer, body, **arguments)

    async def run(
        self,
        operation: str,
        answer: type[Answer],
        body: RequestBody | None = None,
        *,
        audited: bool = True,
        **arguments: Any,
    ) -> Answer:
        """Run the SQL function `operation` with the body and `arguments`, which take precedence.

        The result is validated as an `answer`. What happens to a session is not `audited`: the database keeps a trail
        of it, and audit lines for these most frequent writes would be the largest part of the log. The request's line
        names the session instead.

        Raises:
            ApiError: AUTHORIZATION_ERROR, the body names another user; and what `Database.write` raises.
        """
        refuse_other_user(self.caller.user_id, body)
        sent = body.arguments() if body is not None else {}
        row = await database().write(
            operation,
            self.caller.user_id,
            {**sent, **arguments},
            key=self.key,
            fingerprint=fingerprint(self.target, sent) if self.key else "",
        )
        if audited:
            _log_audit(self.caller, operation, sent, arguments)
        else:
            _name_session(arguments)
        return answer.model_validate(row)


def _name_session(arguments: dict[str, Any]) -> None:
    context = request_context()
    if context is not None:
        context.session_id = arguments.get("session_id")


def _log_audit(caller: Caller, operation: str, sent: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Log which fields were written; their text is only in the audit table.

    A repeat is logged again. The resource is the last id in the route, or the caller's own.
    """
    verb, _, what = operation.partition("_")
    ids = [value for name, value in arguments.items() if name.endswith("_id")]
    audit_logger.log_data_modification(
        user_id=str(caller.user_id),
        resource_type=what,
        resource_id=str(ids[-1] if ids else caller.user_id),
        operation=verb,
        changes={name: value if isinstance(value, int | float) else "..." for name, value in sent.items()},
    )


def fingerprint(target: str, sent: dict[str, Any]) -> str:
    """Return the fingerprint of a request among those with its key: a digest of target and body."""
    canonical = json.dumps([target, sent], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


async def _write_request(request: Request, caller: CurrentUser, idempotency_key: IdempotencyKey = None) -> WriteRequest:
    # Not `request.url`: a path can contain a question mark, and a Host header anything.
    query = request.scope["query_string"].decode("latin-1")
    return WriteRequest(caller, f"{request.method} {request.scope['path']}?{query}", idempotency_key)


Write = Annotated[WriteRequest, Depends(_write_request)]

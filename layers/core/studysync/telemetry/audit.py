"""The audit trail: who signed in, was refused, looked at or changed what.

Two places, for two readers. Lines of the kind ``audit`` in the log, for operators, which the stack copies into a group
of their own (template.yaml); and the table ``audit_log``, which a user may read of themselves. The database writes the
table itself, in the transaction of each change, with what was written; what it cannot see, refusals, is told to it from
here. The lines tell of the same, but of texts only that they changed: a log is read by more people than a student
would show them to. Failure policy: a trail that cannot be written never changes the answer.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from studysync.telemetry.logging import AppLogger, app_logger


class AuditLogger:
    """Writes audit lines. Names and ids only: values of secret fields are masked.

    Args:
        logger: where the lines go.
    """

    def __init__(self, logger: AppLogger) -> None:
        self._logger = logger

    def log_authentication(self, *, user_id: str | None, success: bool, **fields: Any) -> None:
        """Somebody signed in, or could not; `user_id` ``None``: nobody knows who."""
        self._write("authentication", user_id=user_id, success=success, **fields)

    def log_authorization(
        self, *, user_id: str | None, resource_type: str, operation: str, allowed: bool, **fields: Any
    ) -> None:
        """Somebody was allowed, or refused, to do something."""
        self._write(
            "authorization",
            user_id=user_id,
            resource_type=resource_type,
            operation=operation,
            success=allowed,
            **fields,
        )

    def log_data_access(self, *, user_id: str, resource_type: str, resource_id: str, **fields: Any) -> None:
        """Somebody read what belongs to another."""
        self._write("data_access", user_id=user_id, resource_type=resource_type, resource_id=resource_id, **fields)

    def log_access_by(self, caller_id: UUID, resource_type: str, owner_id: UUID) -> None:
        """`caller_id` read what belongs to `owner_id`; nothing where they are the same."""
        if caller_id != owner_id:
            self.log_data_access(user_id=str(caller_id), resource_type=resource_type, resource_id=str(owner_id))

    def log_data_modification(
        self,
        *,
        user_id: str,
        resource_type: str,
        resource_id: str,
        operation: str,
        changes: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        """Somebody changed something; `changes` by field."""
        self._write(
            "data_modification",
            user_id=user_id,
            resource_type=resource_type,
            resource_id=resource_id,
            operation=operation,
            changes=changes or {},
            **fields,
        )

    def _write(self, action: str, **fields: Any) -> None:
        self._logger.log_audit(action, **fields)


audit_logger = AuditLogger(app_logger)

"""The audit trail: who signed in, was denied, accessed or changed what. Sessions have a trail of their own.

It has two destinations. Log lines of the kind ``audit`` are for operators; the stack copies them into a log group of
their own (template.yaml). The table ``audit_log`` is for users, who may read their own entries. The database writes it
in the transaction of each change, with the values; it cannot see denials, so this package writes those. The log lines
contain the same, but not the text that was changed: more people read a log than a student would want. Failure policy: a
failure to write the audit trail never changes the response.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from studysync.telemetry.logging import AppLogger, app_logger


class AuditLogger:
    """Writes audit lines, with names and ids only: values of secret fields are masked.

    Args:
        logger: writes the lines.
    """

    def __init__(self, logger: AppLogger) -> None:
        self._logger = logger

    def log_authentication(self, *, user_id: str | None, success: bool, **fields: Any) -> None:
        """Log a successful or failed sign-in; `user_id` is ``None`` if the user is unknown."""
        self._write("authentication", user_id=user_id, success=success, **fields)

    def log_authorization(
        self, *, user_id: str | None, resource_type: str, operation: str, allowed: bool, **fields: Any
    ) -> None:
        """Log that a user was allowed or denied an action."""
        self._write(
            "authorization",
            user_id=user_id,
            resource_type=resource_type,
            operation=operation,
            success=allowed,
            **fields,
        )

    def log_data_access(self, *, user_id: str, resource_type: str, resource_id: str, **fields: Any) -> None:
        """Log that a user read another user's data."""
        self._write("data_access", user_id=user_id, resource_type=resource_type, resource_id=resource_id, **fields)

    def log_access_by(self, caller_id: UUID, resource_type: str, owner_id: UUID) -> None:
        """Log that `caller_id` read data of `owner_id`; nothing if they are the same."""
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
        """Log that a user changed something; `changes` by field."""
        self._write(
            "data_modification",
            user_id=user_id,
            resource_type=resource_type,
            resource_id=resource_id,
            operation=operation,
            **({"changes": changes} if changes else {}),
            **fields,
        )

    def _write(self, action: str, **fields: Any) -> None:
        self._logger.log_audit(action, **fields)


audit_logger = AuditLogger(app_logger)

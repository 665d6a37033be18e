"""The three loggers under the name that they had in the system before this one."""

from studysync.telemetry.audit import audit_logger
from studysync.telemetry.error_tracker import error_tracker
from studysync.telemetry.logging import app_logger

__all__ = ["app_logger", "audit_logger", "error_tracker"]

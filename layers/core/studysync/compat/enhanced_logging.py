"""The three loggers under the name they had in the former system."""

from studysync.telemetry.audit import audit_logger
from studysync.telemetry.error_tracker import error_tracker
from studysync.telemetry.logging import app_logger

__all__ = ["app_logger", "audit_logger", "error_tracker"]

"""The three loggers under the name that they had in the system before this one."""

from studysync.telemetry.audit import audit_logger as audit_logger
from studysync.telemetry.error_tracker import error_tracker as error_tracker
from studysync.telemetry.logging import app_logger as app_logger

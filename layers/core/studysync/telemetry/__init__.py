"""Logs, metrics, traces, the audit trail and the error tracker."""

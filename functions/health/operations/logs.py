"""Locates the log lines of a request: on AWS with a link to a Logs Insights query, locally in a file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from urllib.parse import quote

QUERY = "fields @timestamp, @message | filter request_id = '{request_id}'"
_DOMAINS = ("users", "sessions", "gamification", "spaces", "sync", "health")
_AROUND_SECONDS = 900


def place() -> str:
    """Return the file with all lines, or the query that finds those of a request."""
    return os.environ.get("LOCAL_LOG") or QUERY


def link(request_id: str, at: float) -> str | None:
    """Return the URL of the query for a request at a Unix time; ``None`` on the local stack."""
    stack, region = os.environ.get("STACK_NAME"), os.environ.get("AWS_REGION")
    if not request_id or not stack or not region or "AWS_SAM_LOCAL" in os.environ:
        return None
    # The console's own notation (JSURL), with text escaped by * instead of %.
    query = f"fields @timestamp, @message | filter request_id = '{request_id}' | sort @timestamp"
    first, last = (
        _value(datetime.fromtimestamp(at + step, UTC).isoformat()) for step in (-_AROUND_SECONDS, _AROUND_SECONDS)
    )
    groups = "".join(f"~'{_value(f'/aws/lambda/{stack}/{domain}')}" for domain in _DOMAINS)
    return (
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:logs-insights$3FqueryDetail$3D"
        f"~(end~'{last}~start~'{first}~timeType~'ABSOLUTE~tz~'UTC~editorString~'{_value(query)}~source~({groups}))"
    )


def _value(text: str) -> str:
    return quote(text, safe="").replace("%", "*")

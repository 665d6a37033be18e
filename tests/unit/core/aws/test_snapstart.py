"""What runs before a snapshot and after a restore."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import snapshot_restore_py

from studysync.aws import snapstart


def test_a_snapshot_is_warmed_up_and_copies_wake_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SnapStart the hooks are registered, and the warm-up request is one that a gateway could send."""
    asked: list[tuple[Any, Any]] = []
    monkeypatch.setenv("SUPABASE_URL", "https://x.supabase.co")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key")
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    for name in ("_before_snapshot_registry", "_after_restore_registry"):
        monkeypatch.setattr(snapshot_restore_py, name, [])

    def handler(event: Any, context: Any) -> None:
        asked.append((event, context))

    assert snapstart.install(handler, [])
    assert len(snapshot_restore_py._before_snapshot_registry) == len(snapshot_restore_py._after_restore_registry) == 1
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # as the handler's first call does
    snapstart.warm_up(handler, [])
    asyncio.set_event_loop(None)
    loop.close()
    ((event, context),) = asked
    assert (event["version"], event["rawPath"]) == ("2.0", event["requestContext"]["http"]["path"])
    assert context.get_remaining_time_in_millis() > 0

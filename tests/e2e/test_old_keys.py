"""The end-to-end walk over a project with the legacy JWT keys `anon` and `service_role`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import test_walk
from tests.e2e.conftest import start_stack

pytestmark = pytest.mark.slow


def test_the_walk_over_old_keys(tmp_path: Path) -> None:
    """Registering, studying, meeting and synchronising work without the new keys."""
    stack = start_stack(tmp_path / "home", tmp_path / "serve.log", API_KEYS="old")
    try:
        assert "SUPABASE_SECRET_KEY" not in stack.facts["environment"]
        with stack.client() as http:
            test_walk.test_a_student_registers_studies_and_earns(http, stack)
            test_walk.test_students_meet_in_a_space(http, stack)
            test_walk.test_a_phone_comes_back_online(http, stack)
    finally:
        assert stack.stop() == 0

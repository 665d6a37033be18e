"""Lazily loaded routes."""

from __future__ import annotations

import pytest
from starlette.routing import NoMatchFound

from studysync.web.routing import LazyRoutes


def test_routes_have_no_names() -> None:
    """Routes have no names, so nothing needs them loaded to build URLs."""
    with pytest.raises(NoMatchFound):
        LazyRoutes("health.operations.models", prefix="/x").url_path_for("anything")

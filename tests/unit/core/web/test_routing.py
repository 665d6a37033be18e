"""Routes that load late."""

from __future__ import annotations

import pytest
from starlette.routing import NoMatchFound

from studysync.web.routing import LazyRoutes


def test_routes_have_no_names() -> None:
    """Nothing here makes URLs from names, so those that load late need not be loaded for it."""
    with pytest.raises(NoMatchFound):
        LazyRoutes("health.operations.models", prefix="/x").url_path_for("anything")

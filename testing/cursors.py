"""Valid cursors for positions that the API itself would never return."""

from __future__ import annotations

import json
from typing import Any

from studysync.sealing import seal


def sealed(route: str, *position: Any, owner: str = "") -> str:
    """Return a cursor for `position` in the list at `route`; `owner` is the id of the student whose list it is."""
    return seal("cursor", json.dumps(position, default=str).encode(), (route, owner))

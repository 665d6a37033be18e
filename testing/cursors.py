"""Cursors as the API makes them, for positions that it would never give."""

from __future__ import annotations

import json
from typing import Any

from studysync.sealing import seal


def sealed(route: str, *position: Any, owner: str = "") -> str:
    """Return a cursor for the list at `route`; `owner`: the id of the student whose own list it is."""
    return seal("cursor", json.dumps(position, default=str).encode(), (route, owner))

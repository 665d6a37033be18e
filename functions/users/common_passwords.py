"""The most common passwords that would otherwise be accepted, in lower case.

From Django's list of the 20,000 most common (BSD-3-Clause).
"""

from __future__ import annotations

from pathlib import Path

COMMON_PASSWORDS = frozenset(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split())

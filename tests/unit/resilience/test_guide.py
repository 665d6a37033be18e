"""The guide's examples work as they are printed."""

from __future__ import annotations

from typing import Any

import pytest

from testing.examples import examples, run

EXAMPLES = examples("resilience.md")


def test_the_guide_has_an_example_for_each_part() -> None:
    """No part is only described."""
    assert len(EXAMPLES) >= 11


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_runs(code: Any) -> None:
    """What a reader copies works, assertions included."""
    run(code)

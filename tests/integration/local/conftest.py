"""Fixtures of the local stack's own tests."""

from collections.abc import Iterator

import pytest

from tests.integration.local.sample import Running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The sample project behind a gateway."""
    with Running(tmp_path_factory.mktemp("sample")) as running:
        yield running

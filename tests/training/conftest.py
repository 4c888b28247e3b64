"""One process that has imported everything, for tests that need real ones."""

from collections.abc import Iterator

import pytest

from tests.training.warm import Warm


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Start `regard` processes without waiting for PyTorch each time."""
    started = Warm()
    yield started
    started.end()

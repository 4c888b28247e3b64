"""One process that has imported everything, for tests that need real ones; answers are short."""

from collections.abc import Iterator

import pytest

from tests.train.warm import Warm


@pytest.fixture(autouse=True)
def answers_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that learned nothing does not know when to end."""
    monkeypatch.setattr("regard.tasks.pairs.LONGER", 5)


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Start `regard` processes without waiting for PyTorch each time."""
    started = Warm()
    yield started
    started.end()

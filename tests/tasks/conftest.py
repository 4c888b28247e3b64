"""What every test of a task gets."""

import pytest


@pytest.fixture(autouse=True)
def answers_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that learned nothing does not know when to end."""
    monkeypatch.setattr("regard.tasks.pairs.LONGER", 5)

"""Parameters of tests that run with the slow ones."""

from typing import Any

import pytest


def slow(*values: Any) -> Any:
    """The values of one test, which is slow."""
    return pytest.param(*values, marks=pytest.mark.slow)

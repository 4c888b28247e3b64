"""Every network that writes, for the tests that ask for a `model`."""

from typing import Any

import pytest

from tests.generation.writers import WRITERS


@pytest.fixture(params=WRITERS)
def model(request: pytest.FixtureRequest) -> Any:
    return WRITERS[request.param]()

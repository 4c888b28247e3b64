from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture
def hookless() -> Iterator[None]:
    """Turn the shape hook off, which users do not have: it would refuse first, in its own words."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)

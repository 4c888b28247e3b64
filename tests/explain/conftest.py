"""What tests of refusals want: no shape hook, which would answer in its own words."""

from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture
def as_users_have_it() -> Iterator[None]:
    """Run without the shape hook."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)

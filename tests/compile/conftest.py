"""Tests under torch.compile; they run without the jaxtyping hook, which dynamo cannot read."""

from collections.abc import Iterator

import pytest
import torch


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Say so when the hook is on: every test here would fail for that reason alone."""
    if config.getoption("jaxtyping_packages", None):
        raise pytest.UsageError("tests/compile runs without the shape hook: make test-compile")


@pytest.fixture(autouse=True)
def fresh_dynamo() -> Iterator[None]:
    """Forget what earlier tests compiled, so that none uses up another's recompilations."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()

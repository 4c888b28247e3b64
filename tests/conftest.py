"""What every test gets: a fixed seed, a fixed thread count, a hypothesis profile.

Nothing here may import `regard` at module level: the jaxtyping hook must come first.
"""

import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import jaxtyping
import pytest
import torch

from tests.one_by_one import fix_seeds

# No rates that somebody measured on this machine decide what tests run.
os.environ["REGARD_CACHE"] = str(Path(tempfile.gettempdir(), f"regard-tests-{os.getpid()}"))

# Examples are the same in every run unless one asks to explore (HYPOTHESIS_PROFILE=nightly).
# No deadlines and no "too slow": a busy machine is not a failure.
_SHARED = {
    "deadline": None,
    "suppress_health_check": [
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.data_too_large,
    ],
    "print_blob": True,
}
hypothesis.settings.register_profile("ci", max_examples=200, derandomize=True, **_SHARED)
hypothesis.settings.register_profile("quick", max_examples=20, derandomize=True, **_SHARED)
hypothesis.settings.register_profile("nightly", max_examples=2000, **_SHARED)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage in what is imported and collected: it stays, and there is much of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def fixed_threads() -> None:
    """One thread: small tensors gain nothing from two, and kernels round as threads divide them."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks() -> Iterator[None]:
    """Nothing here loses its power: in what order things are written is all that can be seen.

    A disk takes longer than most tests. Processes that are killed are started with the real thing.
    """
    with pytest.MonkeyPatch.context() as patch:
        # It is counted as a call of the system, and fails for what is not open.
        patch.setattr(os, "fsync", lambda handle: os.fstat(handle) and None)
        yield


@pytest.fixture(autouse=True)
def fixed_seeds() -> Iterator[None]:
    """Start every test from the same random state, whatever ran before it."""
    fix_seeds()
    yield


@pytest.fixture
def generator() -> torch.Generator:
    """A random generator of the test's own."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def as_users_have_it() -> Iterator[None]:
    """Run without the shape hook, which would answer wrong input in its own words."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)

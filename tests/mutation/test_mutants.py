"""The fast tests can fail: a copy of the package with a seeded bug in it does not pass them."""

import subprocess
import sys

import pytest

from tests.mutation.mutants import MUTANTS, ROOT


def test_every_mutant_still_finds_its_place() -> None:
    for mutant in MUTANTS:
        text = (ROOT / "regard" / mutant.file).read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, mutant.name


@pytest.mark.exhaustive
def test_every_seeded_bug_fails_a_fast_test() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--first"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr

"""The fast tests can fail: a copy of the package with a seeded bug in it does not pass them."""

from pathlib import Path

import pytest

from tests.mutation.mutants import FAST, MUTANTS, ROOT, Mutant, first_failure, seeded


def test_every_mutant_still_finds_its_place() -> None:
    for mutant in MUTANTS:
        text = (ROOT / "regard" / mutant.file).read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, mutant.name


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_seeded_bug_fails_a_fast_test(mutant: Mutant, tmp_path: Path) -> None:
    assert first_failure(seeded(mutant, tmp_path), FAST), f"{mutant.name} survives"


@pytest.mark.slow
def test_the_source_as_it_stands_passes_them(tmp_path: Path) -> None:
    nothing = Mutant("nothing", "__init__.py", '__version__ = "', '__version__ = "')
    assert first_failure(seeded(nothing, tmp_path), FAST) is None

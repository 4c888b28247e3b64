"""What is said of the inputs of `benchmarks/made_cases.py` is right, one after the other."""

import re
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.made_cases import Case, cases
from tests.data.any_task import read

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_made_case_is_read_or_named_as_it_should_be(tmp_path: Path, case: Case) -> None:
    path = case.put(tmp_path / "data")
    try:
        said = read(str(path)).description
    except (ValueError, FileNotFoundError) as error:
        said = str(error)
    assert re.search(case.wanted, said), said


def test_no_two_cases_have_one_name() -> None:
    names = Counter(case.name for case in CASES)
    assert max(names.values()) == 1

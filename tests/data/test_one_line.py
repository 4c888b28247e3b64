"""Cards of words in a single line, as Quizlet exports them."""

from pathlib import Path

import pytest

from tests.data.any_task import read

PAIRS = [(f"a dog {n}", f"ein Hund {n}") for n in range(30)]


@pytest.mark.parametrize("inner", ["\t", ",", " - ", " = "])
@pytest.mark.parametrize("outer", [";", "; ", "|"])
@pytest.mark.parametrize("end", ["", "\n", ";\n"])
def test_pairs_in_one_line_are_pairs(tmp_path: Path, inner: str, outer: str, end: str) -> None:
    end = end if outer != "|" else ""
    path = tmp_path / ("a.tsv" if inner == "\t" else "a.txt")
    path.write_text(outer.join(inner.join(pair) for pair in PAIRS) + end)
    corpus = read(str(path))
    assert corpus.task == "translate"
    assert sorted(tuple(row.values()) for p in corpus.splits.values() for row in p) == sorted(PAIRS)
    assert "pairs in one line" in corpus.description


def test_a_line_of_prose_is_none(tmp_path: Path) -> None:
    said = "; ".join(
        f"on day {n} it rained, and all of us who had come stayed in" for n in range(9)
    )
    (tmp_path / "a.txt").write_text(said + "\n")
    assert read(str(tmp_path / "a.txt")).task == "language_model"

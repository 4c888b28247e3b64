"""Text to text: what is read, ROUGE, and the docstrings of the standard library."""

from pathlib import Path

import numpy as np
import pytest

from regard.data.reading.read import read
from regard.data.reading.request import DataRequest
from regard.data.synthetic.docstrings import MOST, docstring_rows, parted
from regard.run.corpora import known_schemas
from regard.tasks.text_to_text import TextToText, rouge
from tests.tables.tasks import ROWS


def test_what_is_read_begins_with_the_prefix_and_ends_with_the_end(tmp_path: Path) -> None:
    task = ROWS["text_to_text"].made(tmp_path)
    tokens, ids = task.coder.source, task.batch("valid", np.arange(1)).source.ids[0].tolist()
    text = task.written("valid", 0)[0]
    assert tokens.decode(ids) == f"turn: {text}" and ids[-1] == tokens.end
    assert task.predictor.predict([text])[0].inputs == tuple(tokens.tokens(ids))
    assert task.predictor.predict([text])[0].text == text


def test_rouge_is_googles() -> None:
    from rouge_score import rouge_scorer  # it takes a second of a process that has another test

    answers = ["the cat sat on the mat", "dogs ran", "", "same words"]
    targets = ["a cat sits on mats", "a dog is running fast", "something", "same words"]
    kinds = ["rouge1", "rouge2", "rougeL"]
    scorer = rouge_scorer.RougeScorer(kinds, use_stemmer=True)
    found = rouge(answers, targets)
    for name, kind in zip(("rouge1", "rouge2", "rouge_l"), kinds, strict=True):
        each = [scorer.score(t, a)[kind].fmeasure for a, t in zip(answers, targets, strict=True)]
        assert found[name] == pytest.approx(100 * np.mean(each), abs=1e-4)
    assert found["exact_match"] == 0.25


def test_a_script_that_rouge_does_not_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    rows = "".join(f"вход {n}\tвыход слов {n}\n" for n in range(40))
    path.write_text("input\toutput\n" + rows)
    row = ROWS["text_to_text"]
    task = TextToText(str(path), row.made_network, row.made_settings())
    records = [{"answer": "", "nll": 1.0, "targets": 1}] * task.size("valid")
    (remark,) = task.remarks("valid", records)
    assert "ROUGE reads Latin letters and digits alone, and" in remark
    assert not ROWS["text_to_text"].made(tmp_path / "latin").remarks("valid", [])


def task_of(path: Path, task: str | None = None) -> str:
    return read(str(path), DataRequest(tuple(known_schemas()), task)).task


def test_what_files_cannot_tell_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    pairs, play = tmp_path / "pairs.tsv", tmp_path / "play.txt"
    pairs.write_text("input\toutput\n" + "".join(f"a cat {n}\tcat {n}\n" for n in range(30)))
    play.write_text("To be or not to be.\n" * 50)
    assert (task_of(pairs), task_of(pairs, "text_to_text")) == ("translate", "text_to_text")
    asked = task_of(play, "span_corruption")
    assert (task_of(play), asked) == ("language_model", "span_corruption")


@pytest.mark.slow  # the whole standard library is parsed
def test_docstrings_are_the_same_each_time_and_no_sentence_is_in_two_splits() -> None:
    splits = {split: list(docstring_rows(split, 10_000, 0)) for split in ("train", "valid", "test")}
    assert list(docstring_rows("test", 9, 0)) == splits["test"][:9]
    assert len(splits["train"]) > 2000 and min(map(len, splits.values())) > 150
    sentences = [sentence for rows in splits.values() for _, sentence in rows]
    assert len(set(sentences)) == len(sentences)
    for rest, sentence in splits["train"]:
        assert len(rest) <= MOST + 400 and "\n" not in rest + sentence
        assert sentence not in rest.split(": ", 1)[1]


@pytest.mark.parametrize(
    ("docstring", "wanted"),
    [
        ("Do it. Then all that is left to do is to do it again.",
         ("Do it. Then all that is left to do is to do it again.", None)),
        ("Return a list\nof names.\n\nThe names are sorted, and none comes twice.",
         ("Return a list of names.", "The names are sorted, and none comes twice.")),
        ("Return a list\n\nThe names are sorted, and none comes twice.",
         ("Return a list", "The names are sorted, and none comes twice.")),
        ("Write e.g. a list of names. The names are sorted, and none comes twice.",
         ("Write e.g. a list of names.", "The names are sorted, and none comes twice.")),
        (">>> 1 + 1\n2\n\nThe names are sorted, and none comes twice.", None),
    ],
)  # fmt: skip
def test_a_docstring_is_parted_behind_its_first_sentence(
    docstring: str, wanted: tuple[str, str | None] | None
) -> None:
    found = parted(docstring)
    assert found == (None if wanted is None or wanted[1] is None else wanted)


@pytest.mark.parametrize(("split", "count"), [("dev", 1), ("train", -1)])
def test_what_is_no_split_or_count_is_refused(split: str, count: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        next(docstring_rows(split, count, 0))

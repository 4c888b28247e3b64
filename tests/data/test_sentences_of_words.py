"""Words and their tags in two cells of a row are told from pairs of texts and from labels."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.data.any_task import read

TAGS = dict(cat="NOUN", bird="NOUN", dog="NOUN", sings="VERB", sees="VERB", the="DET", old="ADJ")
TAGS |= dict(fast="ADJ", runs="VERB", a="DET")
GERMAN = dict(Katze="nomen", Vogel="nomen", singt="verb", sieht="verb", die="wort", alt="wort")
FIRST = dict(cat="Katze", bird="Vogel", sings="singt", sees="sieht", the="die", old="alt")


def sentences(words: list[str], count: int = 60) -> list[list[str]]:
    draw = Random(0)
    return [draw.choices(words, k=draw.randint(4, 9)) for _ in range(count)]


def pairs(tags: dict[str, str], count: int = 60) -> list[tuple[str, str]]:
    rows = sentences(list(tags), count)
    return [(" ".join(row), " ".join(tags[word] for word in row)) for row in rows]


def written(folder: Path, name: str, names: tuple[str, ...], rows: Any) -> str:
    path = folder / name
    if name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(dict(zip(names, r, strict=True))) + "\n" for r in rows))
    else:
        mark = "\t" if name.endswith(".tsv") else ","
        path.write_text(
            "".join(mark.join(row) + "\n" for row in [*([names] if names else []), *rows])
        )
    return str(path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
@pytest.mark.parametrize("tags", [TAGS, GERMAN])
@pytest.mark.parametrize(
    "names", [("words", "tags"), ("tokens", "ner_tags"), ("Satz", "Wortarten"), ("text", "label")]
)
def test_as_many_tags_as_words_are_tags_whatever_they_are_called(
    tmp_path: Path, name: str, tags: dict[str, str], names: tuple[str, str]
) -> None:
    corpus = read(written(tmp_path, name, names, pairs(tags)))
    assert (corpus.task, corpus.columns) == ("tag", names)
    rows = [row for part in corpus.splits.values() for row in part]
    assert all(row["words"].count("\t") == row["tags"].count("\t") for row in rows)
    assert {tag for row in rows for tag in row["tags"].split("\t")} == {*tags.values()}


def test_the_tags_may_stand_first_and_without_a_name(tmp_path: Path) -> None:
    swapped = [(tags, words) for words, tags in pairs(TAGS)]
    assert read(written(tmp_path, "a.tsv", (), swapped)).columns == ("2", "1")


def test_a_few_rows_are_tagged_by_their_names_or_by_how_tags_are_spelled(tmp_path: Path) -> None:
    few = [("the cat sings", "DET NOUN VERB"), ("a bird sees", "DET NOUN VERB")] * 2
    assert read(written(tmp_path, "a.csv", ("x", "y"), few)).task == "tag"
    lower = [(words, tags.lower()) for words, tags in few]
    assert read(written(tmp_path, "b.csv", ("words", "tags"), lower)).task == "tag"


def test_the_same_tags_in_every_row_are_no_label(tmp_path: Path) -> None:
    rows = [(f"the cat{n} sings", "DET NOUN VERB") for n in range(60)]
    assert read(written(tmp_path, "a.csv", ("words", "tags"), rows)).task == "tag"


def test_tags_of_words_with_commas_between_them_are_those_of_spaces(tmp_path: Path) -> None:
    rows = [(f"{words} , too", f"{tags} , ADV") for words, tags in pairs(TAGS)]
    corpus = read(written(tmp_path, "a.tsv", ("words", "tags"), rows))
    assert corpus.task == "tag"
    assert "," in corpus.splits["train"][0]["tags"].split("\t")


def test_word_for_word_translations_stay_translations(tmp_path: Path) -> None:
    rows = pairs(FIRST)
    for names in (("en", "de"), ("source", "target"), ("x", "y")):
        assert read(written(tmp_path, "a.tsv", names, rows)).task == "translate"


def test_one_label_a_text_stays_a_label(tmp_path: Path) -> None:
    rows = [(words, ("good", "bad")[n % 2]) for n, (words, _) in enumerate(pairs(TAGS))]
    assert read(written(tmp_path, "a.csv", ("words", "tag"), rows)).task == "classify"
    twice = [(f"film {n}", ("very good", "quite bad")[n % 2]) for n in range(60)]
    assert read(written(tmp_path, "b.csv", ("text", "label"), twice)).task == "classify"


def test_two_columns_of_tags_are_asked_about_and_taken_by_name(tmp_path: Path) -> None:
    rows = [(words, tags, tags.replace("ADJ", "VERB")) for words, tags in pairs(TAGS)]
    path = written(tmp_path, "a.tsv", ("satz", "fein", "grob"), rows)
    with pytest.raises(ValueError, match="can be read in 2 ways; say which:") as error:
        read(path)
    assert "--text satz --label fein" in str(error.value)
    corpus = read(path, columns={"text": "satz", "label": "grob"})
    assert (corpus.task, corpus.columns) == ("tag", ("satz", "grob"))

"""Synthetic data is a corpus like any other, by its name."""

from dataclasses import replace
from pathlib import Path

import pytest

from regard.data.reading import stored_rows
from regard.data.schema import SPLITS, Column, Schema
from regard.data.synthetic.data_sets import DATA, SyntheticData
from regard.data.synthetic.opinions import opinion_rows
from tests.data.any_task import ALL, read, read_as

SIZES = {
    "opinions": ("classify", 7200),
    "reviews": ("classify", 4800),
    "aspects": ("multilabel", 5000),
    "interests": ("recommend", 30_000),
    "docstrings": ("text_to_text", 5000),
    "paraphrases": ("match", 22_000),
    "similarities": ("similarity", 9600),
    "names": ("tag", 2600),
    "scenes": ("segment", 2400),
    "digits": ("image_classify", 5000),
    "cluttered_digits": ("image_classify", 7000),
    "captions": ("caption", 2400),
    "captions_of_nine": ("caption", 4400),
    "shapes": ("image_classify", 5000),
    "facts": ("extract", 3800),
    **{f"qa{n}": ("answer", 2200) for n in range(1, 9)},
}


def few(patch: pytest.MonkeyPatch, name: str, **sizes: int) -> None:
    patch.setitem(DATA, name, replace(DATA[name], sizes=sizes))


def test_every_data_set_has_its_size_and_is_of_one_task() -> None:
    assert {name: sum(data.sizes.values()) for name, data in DATA.items()} == {
        name: size for name, (_, size) in SIZES.items()
    }


@pytest.mark.parametrize("name", SIZES)
def test_every_data_set_is_read_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = dict.fromkeys(DATA[name].sizes, 12)
    few(monkeypatch, name, **sizes)
    corpus = read(f"synthetic:{name}")
    assert (corpus.task, len(corpus.splits["train"])) == (SIZES[name][0], 12)
    assert set(corpus.splits) == set(sizes) and corpus.names == DATA[name].columns
    assert "\nsynthetic, generated on first use, seed 0\n" in corpus.description
    first = next(DATA[name].rows("train", 0))
    assert tuple(corpus.splits["train"][0].values()) == first


def test_the_rows_are_those_of_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "opinions", train=30, valid=10, test=10)
    corpus = read("synthetic:opinions")
    for split in SPLITS:
        found = [tuple(row.values()) for row in corpus.splits[split]]
        assert found == list(opinion_rows(split, len(found), 0))


def test_the_old_name_means_the_same_for_one_release(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few(monkeypatch, "opinions", train=30, valid=10, test=10)
    with pytest.warns(DeprecationWarning, match="made:opinions is now called synthetic:opinions"):
        old = read("made:opinions", cache=tmp_path)
    new = read("synthetic:opinions", cache=tmp_path)
    # The digest is the one of 0.1, so that its runs resume.
    assert old.fingerprint == new.fingerprint
    assert old.fingerprint.startswith("96523a18154b54bd")
    assert [*old.splits["train"]] == [*new.splits["train"]]
    assert "is now called" in old.description and "is now called" not in new.description


def test_a_name_that_is_not_there_gets_the_nearest() -> None:
    with pytest.raises(ValueError, match="is called 'opinion'; there is synthetic:opinions"):
        read("synthetic:opinion")
    with pytest.raises(ValueError, match="'x'; there is synthetic:opinions, synthetic:reviews, "):
        read("synthetic:x")


def test_a_task_with_other_columns_is_refused() -> None:
    why = "synthetic:opinions has the columns text, label, which are not those of match"
    with pytest.raises(ValueError, match=why):
        read("synthetic:opinions", "match")


def test_another_task_reads_a_data_set_of_its_own_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    def pairs(split: str, count: int, seed: int):
        return ((f"{split} {n}", "x") for n in range(count))

    monkeypatch.setitem(DATA, "pairs", SyntheticData(pairs, ("morphs", "glosses"), {"train": 40}))
    schema = Schema("gloss", (Column("morphs"), Column("glosses")))
    corpus = read_as("synthetic:pairs", [*ALL, schema])
    assert corpus.task == "gloss" and len(corpus.splits["valid"]) >= 1


def test_too_many_labels_are_refused_with_what_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "opinions", train=30)
    monkeypatch.setattr(stored_rows, "MAX_LABELS", 1)
    with pytest.raises(
        ValueError, match=r"label has more than 1 different labels; say with --label"
    ):
        read("synthetic:opinions")

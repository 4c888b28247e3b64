"""Files of stories become parts of the data, and no story stands on both sides of validation."""

import json
from pathlib import Path

import pytest

from regard.data.reading.babi import write_babi
from regard.data.reading.corpus import Corpus
from regard.data.synthetic.stories import story_rows
from tests.data.any_task import read


def put(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        split = "test" if "test" in name else "train"
        write_babi(folder / name, story_rows(split, 60, number))
    return folder


def texts(corpus: Corpus, split: str) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in corpus.splits[split]]


def test_a_file_to_train_on_takes_the_one_to_test_on_beside_it(tmp_path: Path) -> None:
    put(tmp_path, "qa1_x_train.txt", "qa1_x_test.txt", "qa2_y_train.txt", "qa2_y_test.txt")
    corpus = read(str(tmp_path / "qa2_y_train.txt"))
    assert corpus.task == "answer" and set(corpus.splits) == {"train", "valid", "test"}
    assert texts(corpus, "test") == list(story_rows("test", 60, 3))
    alone = read(str(tmp_path / "qa1_x_test.txt"))
    assert sorted(texts(alone, "train") + texts(alone, "valid")) == sorted(
        story_rows("test", 60, 1)
    )


def test_several_tasks_in_a_folder_are_one_behind_the_other(tmp_path: Path) -> None:
    put(tmp_path, "qa1_train.txt", "qa2_train.txt", "qa10_train.txt", "qa11_train.txt")
    write_babi(tmp_path / "qa1_valid.txt", story_rows("valid", 7, 0))
    corpus = read(str(tmp_path))
    assert texts(corpus, "train") == [
        row for seed in range(4) for row in story_rows("train", 60, seed)
    ]
    assert texts(corpus, "valid") == list(story_rows("valid", 7, 0))
    note = "4 files are learned together, one behind the other: qa1_train.txt, qa2_train.txt, ..., "
    assert note + "qa11_train.txt" in corpus.description


@pytest.mark.parametrize("names", [("train.txt", "test.txt"), ("stories.txt",)], ids="-".join)
def test_stories_need_no_official_name(names: tuple[str, ...], tmp_path: Path) -> None:
    corpus = read(str(put(tmp_path, *names)))
    assert corpus.task == "answer" and ("test" in corpus.splits) == ("test.txt" in names)
    assert len(texts(corpus, "train")) + len(texts(corpus, "valid")) == 60
    assert "learned together" not in corpus.description


def test_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "qa1_test.txt", "qa2_test.txt")
    with pytest.raises(ValueError, match=r"qa1_test.txt, qa2_test.txt, of which none is to be"):
        read(str(tmp_path))


def test_prose_is_no_story(tmp_path: Path) -> None:
    (tmp_path / "prose.txt").write_text("Call me Ishmael.\n" * 9)
    assert read(str(tmp_path)).task == "language_model"
    with pytest.raises(ValueError, match=r"nothing is asked; stories come as .*<TAB>bathroom"):
        read(str(tmp_path), "answer")
    story = put(tmp_path, "story.txt") / "story.txt"
    assert read(str(story), "language_model").task == "language_model"


@pytest.mark.parametrize("ending", ["txt", "jsonl"])
def test_no_story_is_learned_and_validated_at_once(tmp_path: Path, ending: str) -> None:
    found = list(story_rows("train", 600, 0))
    path = tmp_path / f"stories.{ending}"
    if ending == "txt":
        write_babi(path, found)
    else:
        names = ("story", "question", "answer", "support")
        path.write_text("".join(json.dumps(dict(zip(names, r, strict=True))) + "\n" for r in found))
    corpus = read(str(path))
    train, valid = (
        {story.split("\n")[0] for story, *_ in texts(corpus, split)} for split in ("train", "valid")
    )
    assert valid and train and not train & valid
    assert len(texts(corpus, "valid")) < 120

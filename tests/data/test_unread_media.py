"""Tables and folders of pictures, sounds and other files that no task reads, named as such."""

import base64
import json
from pathlib import Path

import pytest

from tests.data.any_task import read
from tests.pictures import drawn_file, mask_of

PIXELS = " ".join(str(n % 256) for n in range(100))
TABLES = {
    "boxes": (
        "filename,class,xmin,ymin,xmax,ymax",
        "{n}.jpg,{l},1,1,5,5",
        "marks boxes in pictures .xmax",
    ),
    "fer": ("emotion,pixels,Usage", f"{{b}},{PIXELS},x", "holds the pixels of pictures as numbers"),
    "mnist": (
        "label," + ",".join(f"pixel{n}" for n in range(16)),
        "{b}," + ",".join("{b}" for _ in range(16)),
        "holds the pixels of pictures as numbers .pixel0",
    ),
    "addresses": (
        "image_url,label",
        "https://x.y/{n}.jpg,{l}",
        "line 2: https://x.y/0.jpg is an address; pictures are read from files",
    ),
    "sounds": ("path,sentence,gender", "{n}.mp3,it rained on day {n},{l}", "names files of sound"),
    "esc50": ("filename,fold,category", "1-{n}-A.wav,{b},{l}", "names files of sound"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_what_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    header, row, what = TABLES[name]
    lines = (row.format(n=n, l="ab"[n % 2], b=n % 2) for n in range(40))
    (tmp_path / "a.csv").write_text("\n".join([header, *lines]) + "\n")
    with pytest.raises(ValueError, match=f"a.csv .*{what}"):
        read(str(tmp_path / "a.csv"))


def test_pictures_in_base64_are_named(tmp_path: Path) -> None:
    lines = []
    for n in range(30):
        drawn_file((n, 9, 9), path=tmp_path / "one.png")
        lines.append(f"{base64.b64encode((tmp_path / 'one.png').read_bytes()).decode()},{n % 2}")
    (tmp_path / "a.csv").write_text("image,label\n" + "\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="holds pictures in base64 .image"):
        read(str(tmp_path / "a.csv"))


def test_texts_beside_sounds_are_learned_where_they_are_named(tmp_path: Path) -> None:
    lines = [f"{n}.mp3,it rained on day {n},{'ab'[n % 2]}" for n in range(40)]
    (tmp_path / "a.csv").write_text("path,sentence,gender\n" + "\n".join(lines) + "\n")
    corpus = read(str(tmp_path / "a.csv"), columns={"text": "sentence", "label": "gender"})
    assert corpus.labels == ("a", "b")


@pytest.mark.parametrize(
    ("ending", "what"),
    [
        ("wav", "files of sound or moving pictures"),
        ("mp4", "files of sound or moving pictures"),
        ("pdf", "PDFs .0.pdf., which are not read; convert"),
        ("docx", "Office files"),
        ("html", "HTML"),
    ],
)
def test_a_folder_of_files_that_are_not_read_is_named(
    tmp_path: Path, ending: str, what: str
) -> None:
    for n in range(8):
        (tmp_path / "ab"[n % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[n % 2] / f"{n}.{ending}").write_bytes(bytes(40))
    with pytest.raises(ValueError, match=what):
        read(str(tmp_path))


def test_transcripts_with_codes_before_them_are_no_running_text(tmp_path: Path) -> None:
    lines = [f"84-121123-{n:04} IT RAINED ON DAY {n}" for n in range(40)]
    (tmp_path / "a.trans.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="has a code before each line.*Kaldi"):
        read(str(tmp_path / "a.trans.txt"))


def test_masks_are_read_beside_boxes(tmp_path: Path) -> None:
    for n in range(12):
        drawn_file((20 * n, 9, 9), (8, 6), tmp_path / "JPEGImages" / f"{n}.jpg")
        for folder, name in (("SegmentationClass", f"{n}.png"), ("Annotations", f"{n}.xml")):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_bytes(mask_of((8, 6), n, "x").content)
    assert read(str(tmp_path)).task == "segment"


def test_the_boxes_of_coco_beside_pictures_are_named(tmp_path: Path) -> None:
    for n in range(4):
        drawn_file((20 * n, 9, 9), path=tmp_path / "train2017" / f"{n}.jpg")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_train2017.json").write_text(json.dumps({"images": []}))
    with pytest.raises(ValueError, match="notes on parts of pictures .instances_train2017.json"):
        read(str(tmp_path))


@pytest.mark.parametrize("name", ["id", "image"])
def test_a_table_may_name_pictures_without_their_endings(tmp_path: Path, name: str) -> None:
    for n in range(24):
        drawn_file((9 * n, 9, 9), path=tmp_path / "train" / f"{n:03}.jpg")
    rows = "".join(f"{n:03},{'pug' if n % 2 else 'boxer'}\n" for n in range(24))
    (tmp_path / "labels.csv").write_text(f"{name},breed\n{rows}")
    corpus = read(str(tmp_path))
    assert corpus.task == "image_classify" and corpus.labels == ("boxer", "pug")


def test_what_is_wrong_with_a_table_beside_pictures_is_said(tmp_path: Path) -> None:
    for n in range(24):
        drawn_file((9 * n, 9, 9), path=tmp_path / "images" / f"{n}.jpg")
    rows = "".join(f"{n}.jpg,{20 + n / 7:.3f}\n" for n in range(24))
    (tmp_path / "ages.csv").write_text(f"image,age\n{rows}")
    with pytest.raises(ValueError, match="ages.csv has columns image .*age .numbers"):
        read(str(tmp_path))


def test_files_of_months_are_one_behind_the_other(tmp_path: Path) -> None:
    for month in range(1, 4):
        rows = "".join(f"it rained on day {n} of {month},{'ab'[n % 2]}\n" for n in range(20))
        (tmp_path / f"reviews_2024_{month:02}.csv").write_text("text,label\n" + rows)
    assert sum(len(part) for part in read(str(tmp_path)).splits.values()) == 60


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["X_train.csv", "y_train.csv"], "paste -d, X_train.csv y_train.csv > train.csv"),
        (["a.csv", "b.csv"], "all of them are read with --data '.*csv'"),
        (["a.json", "b.json", "c.json"], "join them: jq -c"),
    ],
)
def test_how_files_are_read_together_is_said(tmp_path: Path, names: list[str], what: str) -> None:
    for name in names:
        (tmp_path / name).write_text('[{"text": "a", "label": "b"}]')
    with pytest.raises(ValueError, match=f"which is to be trained on.*{what}"):
        read(str(tmp_path))


def test_pages_of_markdown_are_texts(tmp_path: Path) -> None:
    for n in range(9):
        (tmp_path / f"{n}.md").write_text(f"# Day {n}\n\nIt rained on day {n}, all of it.\n")
    (tmp_path / "README.md").write_text("What it is.\n")
    corpus = read(str(tmp_path))
    assert corpus.task == "language_model" and "9 files are read" in corpus.description

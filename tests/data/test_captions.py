"""Pictures and what is said of them: wherever they lie, whatever is missing."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import regard
from regard._io.extra import extra
from regard.data.reading.picture_names import PictureNames
from regard.data.reading.pictures import PictureCell
from regard.data.synthetic.captioned_scenes import SHAPES, captioned_rows
from regard.run.training import Options
from regard.tasks.caption import Caption, CaptionSettings
from regard.view.frame import frame_of
from tests.data.any_task import read
from tests.pictures import drawn_file

SAID = "a cat lies on a sofa number"


def put(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        drawn_file((40 * number % 256, number, 9), path=folder / name)
    return folder


def table(names: list[str], each: int = 1, sep: str = ",") -> str:
    rows = [f"{name}{sep}{SAID} {n} {m}" for n, name in enumerate(names) for m in range(each)]
    return "\n".join([f"image{sep}caption", *rows]) + "\n"


def pairs(corpus: Any) -> list[tuple[str, str]]:
    return sorted(
        (Path(PictureCell(row["image"]).name).name, row["caption"])
        for rows in corpus.splits.values()
        for row in rows
    )


@pytest.mark.parametrize(
    ("place", "file", "sep"),
    [
        ("", "captions.csv", ","),
        ("", "captions.tsv", "\t"),
        ("Images", "captions.txt", ","),
        ("Images/deeper", "captions.csv", ","),
    ],
)
def test_pictures_are_found_anywhere_in_the_folder(
    place: str, file: str, sep: str, tmp_path: Path
) -> None:
    names = [f"{n}.png" for n in range(30)]
    put(tmp_path / place, *names)
    (tmp_path / file).write_text(table(names, each=2, sep=sep))
    corpus = read(str(tmp_path))
    assert corpus.task == "caption"
    found = pairs(corpus)
    assert len(found) == 60 and {name for name, _ in found} == {*names}
    assert all(said.startswith(f"{SAID} {name[:-4]} ") for name, said in found)


def test_parts_and_paths_are_those_of_the_folder(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        names = [f"{part}/{n}.png" for n in range(25)]
        put(tmp_path, *names)
        lines = [{"image": name, "caption": f"{SAID} {name[:-4]}"} for name in names]
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    corpus = read(str(tmp_path))
    for part in ("train", "valid"):
        for row in corpus.splits[part]:
            name = Path(PictureCell(row["image"]).name)
            assert name.parent.name == part and row["caption"].endswith(f"{part}/{name.stem}")


SPELLED = {
    "case": ("img/{}.png", "{}.PNG", "in another case: 0.PNG is 0.png"),
    "case of files": ("img/IMG_{}.JPG", "img_{}.jpg", "in another case: img_0.jpg is IMG_0.JPG"),
    "ending": ("img/{}.png", "{}.jpg", "with another ending: 0.jpg is 0.png"),
    "no ending": ("img/{}.jpeg", "img/{}", "with another ending: img/0 is 0.jpeg"),
    "folder": ("img/{}.png", "data/all/{}.png", "in another folder: data/all/0.png is 0.png"),
    "folder and ending": (
        "{}.png",
        "C:\\x\\{}.JPG",
        "in another folder and with another ending: C:\\x\\0.JPG is 0.png",
    ),
    "here": ("img/{}.png", "./img/{}.png", ""),
    "deeper": ("a/img/{}.png", "img/{}.png", ""),
    "composed": ("img/\u0061\u0308{}.png", "\u00e4{}.png", ""),
}


@pytest.mark.parametrize("name", SPELLED)
def test_pictures_are_found_by_names_that_are_spelled_otherwise(name: str, tmp_path: Path) -> None:
    file, said, note = SPELLED[name]
    put(tmp_path, *(file.format(n) for n in range(30)))
    (tmp_path / "captions.csv").write_text(table([said.format(n) for n in range(30)]), "utf-8")
    asked = {"columns": {"image": "image"}} if name == "no ending" else {}
    corpus = read(str(tmp_path), **asked)
    files = [Path(file.format(n)).name for n in range(30)]
    assert pairs(corpus) == sorted((each, f"{SAID} {n} 0") for n, each in enumerate(files))
    assert (f"30 pictures are named {note}" in corpus.description) == bool(note)
    assert "are named" in corpus.description or not note


@pytest.mark.parametrize(
    ("files", "names", "lost"),
    [
        (["1.png", "1.jpg"], ["1.gif"], ["1.gif"]),
        (["a/1.png", "b/1.png"], ["c/1.png", "a/1.png"], ["c/1.png"]),
        (["1.png"], ["train/1.png", "test/1.png"], ["train/1.png", "test/1.png"]),
        (["1.png"], ["1.png", "x/1.png"], ["x/1.png"]),
        (["1.PNG"], ["1.png", "1.Png"], []),
        (["v1.png"], ["v1.2"], ["v1.2"]),
        (["a/1.png", "x/a/1.png"], ["a/1.png"], []),
    ],
)
def test_a_picture_that_is_not_clearly_meant_is_not_taken(
    files: list[str], names: list[str], lost: list[str], tmp_path: Path
) -> None:
    meant = PictureNames(tuple(tmp_path / file for file in files), tmp_path).meant(names)
    assert [name for name in names if name not in meant] == lost


def test_captions_without_pictures_are_named_and_pictures_without_counted(tmp_path: Path) -> None:
    put(tmp_path, *(f"{n}.png" for n in range(30)))
    (tmp_path / "captions.csv").write_text(table([f"{n}.png" for n in range(2, 34)], each=2))
    corpus = read(str(tmp_path))
    said = corpus.description
    assert "8 captions without their picture left out (train): 30.png, 31.png, 32.png, ..." in said
    assert "2 pictures without a caption left out" in said
    assert len(pairs(corpus)) == 56


def test_the_lines_of_flickr_are_captions(tmp_path: Path) -> None:
    names = [f"{n}_a.jpg" for n in range(20)]
    put(tmp_path / "Images", *names)
    lines = (f"{name}#{m}\t{SAID} {n} {m}\n" for n, name in enumerate(names) for m in range(2))
    (tmp_path / "Flickr8k.token.txt").write_text("".join(lines))
    corpus = read(str(tmp_path))
    assert corpus.task == "caption" and ("3_a.jpg", f"{SAID} 3 1") in pairs(corpus)
    assert "Flickr's picture#0 before each caption" in corpus.description


def coco(folder: Path, parts: dict[str, list[str]]) -> None:
    """Captions of COCO in `annotations`, and the pictures of each part in a folder of its own."""
    (folder / "annotations").mkdir(parents=True)
    for part, names in parts.items():
        put(folder / part, *names)
        images = [{"id": 9 + n, "file_name": name} for n, name in enumerate(names)]
        notes = [
            {"id": 2 * n + m, "image_id": 9 + n, "caption": f"{SAID} {n} {m}"}
            for m in range(2)
            for n in range(len(names))
        ]
        document = {"info": {}, "images": images, "annotations": notes}
        (folder / "annotations" / f"captions_{part}.json").write_text(json.dumps(document))
        (folder / "annotations" / f"instances_{part}.json").write_text(json.dumps({"a": []}))


def test_the_captions_of_coco_are_read_with_the_pictures_beside_them(tmp_path: Path) -> None:
    parts = {
        "train2017": [f"{n:03}.jpg" for n in range(20)],
        "val2017": [f"{n}.jpg" for n in range(500, 505)],
    }
    coco(tmp_path, parts)
    corpus = read(str(tmp_path))
    assert corpus.task == "caption" and {*corpus.splits} == {"train", "valid"}
    assert len(corpus.splits["train"]) == 40 and ("003.jpg", f"{SAID} 3 1") in pairs(corpus)
    alone = read(str(tmp_path / "annotations" / "captions_val2017.json"))
    assert {name for name, _ in pairs(alone)} == {*parts["val2017"]}
    (tmp_path / "annotations" / "captions_train2017.json").rename(tmp_path / "captions.json")
    beside = read(str(tmp_path / "captions.json"))
    assert {name for name, _ in pairs(beside)} == {*parts["train2017"]}


def test_a_caption_of_a_picture_that_coco_does_not_list_is_refused(tmp_path: Path) -> None:
    coco(tmp_path, {"train2017": ["1.jpg", "2.jpg"]})
    path = tmp_path / "annotations" / "captions_train2017.json"
    path.write_text(path.read_text().replace('"image_id": 10', '"image_id": 77'))
    with pytest.raises(ValueError, match="annotation 2: there is no image with the id 77"):
        read(str(tmp_path))


@pytest.mark.parametrize("ending", [".token.txt", ".token"])
def test_the_lists_of_flickr_divide_its_captions(tmp_path: Path, ending: str) -> None:
    names = [f"{n}_a.jpg" for n in range(20)]
    put(tmp_path / "Images", *names)
    lines = [f"{name}#{m}\t{SAID} {n} {m}\n" for n, name in enumerate(names) for m in range(2)]
    (tmp_path / f"Flickr8k{ending}").write_text("".join(lines))
    (tmp_path / "Flickr8k.lemma.token.txt").write_text("".join(lines).replace("was", "be"))
    (tmp_path / "readme.txt").write_text("Pictures.\nWith captions.\n")
    assert len(pairs(read(str(tmp_path)))) == 40
    for part, some in (("train", names[:14]), ("dev", names[14:17]), ("test", names[17:])):
        (tmp_path / f"Flickr_8k.{part}Images.txt").write_text("\n".join(some) + "\n")
    corpus = read(str(tmp_path))
    found = {split: len(rows) for split, rows in corpus.splits.items()}
    assert found == {"train": 28, "valid": 6, "test": 6}
    assert "Flickr_8k.devImages.txt lists the pictures of a part" in corpus.description


def test_a_table_is_read_whose_pictures_lie_in_a_folder_beside_it(tmp_path: Path) -> None:
    put(tmp_path / "photos", *(f"{n}.png" for n in range(24)))
    (tmp_path / "captions.csv").write_text(table([f"{n}.png" for n in range(24)]))
    assert len(pairs(read(str(tmp_path / "captions.csv")))) == 24


def test_the_numbers_of_captions_are_no_labels(tmp_path: Path) -> None:
    put(tmp_path / "photos", *(f"{n}.png" for n in range(12)))
    lines = (f"{n}.png| {m}| {SAID} {n} {m}\n" for n in range(12) for m in range(5))
    (tmp_path / "results.csv").write_text("image_name| comment_number| comment\n" + "".join(lines))
    corpus = read(str(tmp_path))
    assert corpus.task == "caption" and len(pairs(corpus)) == 60
    assert "repeat" not in corpus.description


def test_a_table_of_other_pictures_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    (tmp_path / "captions.csv").write_text(table([f"{n}.png" for n in range(30)]))
    with pytest.raises(ValueError, match="none of the 30 .* names is in .*: 0.png.*there is a.png"):
        read(str(tmp_path))


def test_names_that_several_files_have_need_their_paths(tmp_path: Path) -> None:
    put(tmp_path, *(f"{side}/{n}.png" for n in range(25) for side in ("one", "two")))
    (tmp_path / "captions.csv").write_text(table([f"{n}.png" for n in range(25)]))
    with pytest.raises(ValueError, match="named by their paths in the folder"):
        read(str(tmp_path))
    (tmp_path / "captions.csv").write_text(table([f"two/{n}.png" for n in range(25)]))
    assert len(pairs(read(str(tmp_path)))) == 25


@pytest.mark.parametrize("name", ["caption", "captions"])
def test_captions_that_come_back_are_captions(tmp_path: Path, name: str) -> None:
    put(tmp_path / "images", *(f"{n}.png" for n in range(24)))
    said = [("a red ball", "two dogs", "a blue box on a table")[n % 3] for n in range(24)]
    rows = "".join(f"{n}.png,{text}\n" for n, text in enumerate(said))
    (tmp_path / "captions.csv").write_text(f"image,{name}\n" + rows)
    corpus = read(str(tmp_path))
    assert corpus.task == "caption" and len(pairs(corpus)) == 24
    (tmp_path / "captions.csv").write_text("image,text\n" + rows)
    with pytest.raises(ValueError, match="(?s)2 ways.*--task (caption|image_classify).*--task"):
        read(str(tmp_path))


def test_a_table_beside_one_folder_of_pictures_has_their_labels(tmp_path: Path) -> None:
    put(tmp_path / "images", *(f"{n}.png" for n in range(24)))
    rows = "".join(f"{n}.png,{'ab'[n % 2]}\n" for n in range(24))
    (tmp_path / "labels.csv").write_text("image,label\n" + rows)
    corpus = read(str(tmp_path))
    assert corpus.task == "image_classify"
    assert {row["label"] for row in corpus.splits["train"]} == {"a", "b"}


def test_labels_in_a_folder_stay_labels(tmp_path: Path) -> None:
    put(tmp_path, *(f"{color}/{n}.png" for n in range(15) for color in ("red", "blue")))
    (tmp_path / "README.md").write_text("pictures of colours\n")
    (tmp_path / "notes.txt").write_text("They were drawn.\nBy hand.\n")
    assert read(str(tmp_path)).task == "image_classify"


def test_parquet_with_the_bytes_of_pictures_is_read(tmp_path: Path) -> None:
    arrow, parquet = extra("pyarrow"), extra("pyarrow.parquet")
    put(tmp_path, *(f"{n}.png" for n in range(30)))
    cells = [{"bytes": (tmp_path / f"{n}.png").read_bytes(), "path": f"{n}.png"} for n in range(30)]
    rows = {"image": cells, "caption": [f"{SAID} {n}" for n in range(30)]}
    (tmp_path / "data").mkdir()
    parquet.write_table(arrow.table(rows), tmp_path / "data" / "train.parquet")
    corpus = read(str(tmp_path / "data"))
    assert corpus.task == "caption" and len(pairs(corpus)) == 30


def test_a_truncated_picture_is_refused_by_name(tmp_path: Path) -> None:
    names = [f"{n}.png" for n in range(30)]
    put(tmp_path, *names)
    whole = (tmp_path / "7.png").read_bytes()
    (tmp_path / "7.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "captions.csv").write_text(table(names))
    with pytest.raises(ValueError, match=r"7\.png"):
        Caption.prepare(str(tmp_path), CaptionSettings(size=8))


def test_a_folder_is_trained_on_and_asked(tmp_path: Path) -> None:
    names = [f"{n}.png" for n in range(40)]
    put(tmp_path / "data", *names)
    (tmp_path / "data" / "captions.csv").write_text(table(names))
    small = {"shape": "cifar(depth=8, width=2)", "embed_dim": 8, "hidden_dim": 8, "size": 8}
    given = {
        **small,
        "steps": 60,
        "evaluate_every": 60,
        "learning_rate": 0.02,
        "out": tmp_path / "run",
    }
    run = regard.train(tmp_path / "data", **given, options=Options(progress=False))
    assert run.settings.task_name == "caption" and run.settings.model_name == "captioner"
    scores = run.evaluate(tmp_path / "data")
    assert set(scores) == {"loss", "perplexity", "bleu", "word_accuracy"}
    first, *later = map(json.loads, (tmp_path / "run" / "samples.jsonl").read_text().splitlines())
    kept = [frame_of(first, sample) for sample in first["samples"]]
    assert all(each and each.picture and each.inputs[-1] == "r2 c2" for each in kept)
    assert not any("picture" in sample for look in later for sample in look["samples"])
    assert "the patches of the picture" in (tmp_path / "run" / "report.html").read_text("utf-8")
    (answer,) = run.predict([tmp_path / "data" / "3.png"])
    assert answer.best.startswith("a cat") and answer.weights is not None


def test_scenes_say_where_each_shape_is() -> None:
    for side in (2, 3):
        for picture, caption, boxes in captioned_rows("valid", 5, seed=1, side=side):
            image = extra("PIL.Image").open(BytesIO(PictureCell(picture).content))
            assert image.size == (16 * side, 16 * side)
            words = [word for word in caption.split() if word in SHAPES]
            assert [cell.split()[0] for cell in boxes.split("\t")] == words
            assert caption.count(" above ") == side - 1 and len(words) == side**2
            middles = [
                (float(left) + float(right), float(top) + float(bottom))
                for _, left, top, right, bottom in map(str.split, boxes.split("\t"))
            ]
            assert [(y, x) for x, y in middles] == sorted((y, x) for x, y in middles)
    first, again = (list(captioned_rows("test", 3, seed=2)) for _ in range(2))
    assert first == again
    with pytest.raises(ValueError, match="split must be one of"):
        next(captioned_rows("dev", 1, seed=0))

"""Masks beside pictures: which belong together, what their classes are, what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regard._io.extra import extra
from regard.data.encoding.masks import UNKNOWN, mask_codes, numbered, resized_mask
from regard.data.reading.pictures import PictureCell
from regard.tasks.segment import Segment, SegmentSettings
from regard.tasks.segment.coder import classes_of
from tests.data.any_task import read
from tests.pictures import drawn_file, encoded, mask_of, png

image = extra("PIL.Image")
arrow = extra("pyarrow")
parquet = extra("pyarrow.parquet")


def put(folder: Path, *names: str, size: tuple[int, int] = (8, 6)) -> None:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if "mask" in name.lower() or "annotation" in name or "gt" in name:
            path.write_bytes(mask_of(size, number, "x").content)
        else:
            drawn_file((20 * number % 256, 9, 9), size, path)


def names_of(corpus: Any, folder: Path) -> dict[str, list[tuple[str, str]]]:
    def bare(cell: bytes) -> str:
        return Path(PictureCell(cell).name).relative_to(folder).as_posix()

    return {
        split: sorted((bare(row["image"]), bare(row["mask"])) for row in rows)
        for split, rows in corpus.splits.items()
    }


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (
            ("images/1.jpg", "images/2.png", "masks/1.png", "masks/2.png"),
            {("images/1.jpg", "masks/1.png"), ("images/2.png", "masks/2.png")},
        ),
        (
            ("img/a.png", "img/b.png", "annotations/a_mask.png", "annotations/b_mask.png"),
            {("img/a.png", "annotations/a_mask.png"), ("img/b.png", "annotations/b_mask.png")},
        ),
        (
            ("JPEGImages/x/1.jpg", "JPEGImages/y/1.jpg", "Masks/x/1.png", "Masks/y/1.png"),
            {("JPEGImages/x/1.jpg", "Masks/x/1.png"), ("JPEGImages/y/1.jpg", "Masks/y/1.png")},
        ),
    ],
)
def test_files_of_one_stem_belong_together(
    files: tuple[str, ...], wanted: set[tuple[str, str]], tmp_path: Path
) -> None:
    put(tmp_path, *files)
    corpus = read(str(tmp_path))
    assert corpus.task == "segment"
    found = names_of(corpus, tmp_path)
    assert {pair for pairs in found.values() for pair in pairs} == wanted


@pytest.mark.parametrize("form", ["{split}/{kind}/{n}.png", "{kind}/{split}/{n}.png"])
def test_splits_stand_around_the_two_folders_or_within_them(form: str, tmp_path: Path) -> None:
    numbers = {"train": (1, 2), "val": (3,), "test": (4, 5)}
    for split, some in numbers.items():
        for kind in ("images", "masks"):
            put(tmp_path, *(form.format(split=split, kind=kind, n=n) for n in some))
    found = names_of(read(str(tmp_path)), tmp_path)
    assert {split: len(pairs) for split, pairs in found.items()} == {
        **{"train": 2, "valid": 1, "test": 2}
    }


def test_what_has_no_other_half_is_left_out_and_said(tmp_path: Path) -> None:
    put(tmp_path, "images/1.png", "images/2.png", "images/3.png", "masks/1.png", "masks/2.png")
    put(tmp_path, "masks/9.png")
    said = read(str(tmp_path)).description
    assert "1 pictures without a mask left out: 3" in said
    assert "1 masks without a picture left out: 9" in said


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (("images/1.png", "masks/2.png"), "no picture in .*images has a mask in .*masks"),
        (("images/1.png", "images/1.jpg", "masks/1.png"), "have one stem; which of them"),
    ],
)
def test_folders_in_which_nothing_is_clear_are_refused(
    files: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    put(tmp_path, *files)
    with pytest.raises(ValueError, match=why):
        read(str(tmp_path))


def test_a_table_of_two_paths_and_of_two_structs_is_one_of_masks(tmp_path: Path) -> None:
    put(tmp_path, *(f"{kind}/{n}.png" for n in range(30) for kind in ("i", "mask")))
    rows = "".join(f"i/{n}.png,mask/{n}.png\n" for n in range(30))
    (tmp_path / "list.csv").write_text("image,mask\n" + rows)
    assert read(str(tmp_path / "list.csv")).task == "segment"
    entries = [
        {
            "image": {"bytes": encoded(image.new("RGB", (8, 6), (n, 9, 9))), "path": None},
            "annotation": {"bytes": mask_of((8, 6), n, "x").content, "path": None},
        }
        for n in range(30)
    ]
    parquet.write_table(arrow.Table.from_pylist(entries), tmp_path / "a.parquet")
    assert read(str(tmp_path / "a.parquet")).names == ("image", "annotation")


def cell(pixels: Any, mode: str | None = None, form: str = "PNG", name: str = "m.png") -> Any:
    made = image.fromarray(np.asarray(pixels))
    return PictureCell.of(name, encoded(made.convert(mode) if mode else made, form))


def test_classes_are_numbers_or_colours() -> None:
    numbers = np.array([[0, 7], [255, 0]], dtype=np.uint8)
    codes, colored = mask_codes(cell(numbers))
    assert codes.tolist() == numbers.tolist() and not colored
    deep = np.array([[0, 300]], dtype=np.uint16)
    assert mask_codes(cell(deep))[0].tolist() == [[0, 300]]
    paletted = image.fromarray(np.array([[0, 1]], dtype=np.uint8), "P")
    paletted.putpalette([9, 9, 9, 200, 0, 0])
    assert mask_codes(PictureCell.of("p", encoded(paletted)))[0].tolist() == [[0, 1]]
    colors = np.array([[[255, 128, 0], [0, 0, 1]]], dtype=np.uint8)
    codes, colored = mask_codes(cell(colors))
    assert codes.tolist() == [[0xFF8000, 1]] and colored
    assert mask_codes(cell(np.array([[True, False]])))[0].tolist() == [[1, 0]]
    assert numbered(np.array([[5, 6]]), {6: 0}).tolist() == [[[UNKNOWN], [0]]]
    assert classes_of({"train": rows(cell(numbers))}, "") == ("0", "7", "255")
    assert classes_of({"train": rows(cell(numbers))}, "255") == ("0", "7")
    assert classes_of({"train": rows(cell(colors))}, "") == ("#000001", "#ff8000")


def test_greys_with_alpha_and_whole_numbers_with_a_point_are_numbers() -> None:
    greys = np.array([[0, 255], [7, 0]], dtype=np.uint8)
    for made in (
        cell(greys, "LA"),
        cell(greys.astype(np.float32), form="TIFF"),
        cell(greys.astype(np.float32) + 300, form="TIFF"),
    ):
        codes, colored = mask_codes(made)
        assert not colored and (codes - codes.min()).tolist() == greys.tolist()
    for wrong in (0.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="m.png is a mask of numbers that are not whole"):
            mask_codes(cell(np.full((2, 2), wrong, dtype=np.float32), form="TIFF"))


@pytest.mark.parametrize(
    ("form", "said", "why"),
    [
        ("JPEG", {}, "JPEG"),
        ("MPO", {"save_all": True}, "JPEG"),
        ("WEBP", {"quality": 80}, "WebP with losses"),
        ("TIFF", {"compression": "jpeg"}, "TIFF with the compression of JPEG or WebP"),
    ],
)
def test_a_mask_in_a_format_that_changes_colors_is_refused(form: str, said: Any, why: str) -> None:
    made = image.fromarray(np.zeros((9, 9, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match=f"m.x is a mask in {why}, which changes colours"):
        mask_codes(PictureCell.of("m.x", encoded(made, form, **said)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(
    ("form", "said"), [("WEBP", {"lossless": True}), ("TIFF", {"compression": "tiff_lzw"})]
)
def test_a_mask_without_losses_has_its_colors(form: str, said: Any, mode: str) -> None:
    colors = np.array([[[255, 128, 0], [0, 0, 1]]] * 9, dtype=np.uint8)
    made = image.fromarray(colors).convert(mode)
    codes, colored = mask_codes(PictureCell.of("m", encoded(made, form, exact=True, **said)))
    assert codes.tolist() == [[0xFF8000, 1]] * 9 and colored


def test_a_picture_that_exif_turns_beside_a_mask_that_is_not_is_told(tmp_path: Path) -> None:
    put(tmp_path, *(f"{kind}/{n}.png" for n in range(9) for kind in ("images", "masks")))
    turned = image.Exif()
    turned[0x0112] = 6
    made = image.new("RGB", (8, 6), (9, 9, 9))
    (tmp_path / "images/4.png").write_bytes(encoded(made, exif=turned))
    why = "is 8 by 6 pixels, and its mask .* 6 by 8; .* turned as its EXIF says: turn the mask, too"
    with pytest.raises(ValueError, match=why):
        Segment(str(tmp_path), lambda **_: None, SegmentSettings(size=6))


def rows(*masks: Any) -> Any:
    class Rows(list[Any]):
        def __getitem__(self, key: Any) -> Any:
            return {"mask": super().__getitem__(key)}

    return Rows(masks)


MANY = np.arange(300 * 300).reshape(300, 300).astype(np.uint16)


@pytest.mark.parametrize(
    ("masks", "ignored", "why"),
    [
        ([cell(np.zeros((2, 2), np.uint8), form="JPEG")], "", "m.png is a mask in JPEG"),
        ([cell(MANY)], "", "m.png and the masks before it have 65,536 different values"),
        ([cell(np.zeros((2, 2), np.uint8))], "", "all pixels are of the class 0; at least 2"),
        ([cell(np.eye(2, dtype=np.uint8))], "9", r"of the class '9' \(ignored\); there are 0, 1"),
        (
            [
                cell(np.eye(2, dtype=np.uint8)),
                cell(np.zeros((2, 2, 3), np.uint8), name="colors.png"),
            ],
            "",
            "colors.png is a mask of colours and m.png one of numbers",
        ),
        ([PictureCell.of("cut.png", b"\x89PNG\r\n\x1a\nxx")], "", "cut.png is a damaged picture"),
    ],
)
def test_masks_that_say_no_classes_are_refused(masks: Any, ignored: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        classes_of({"train": rows(*masks)}, ignored)


def smoothed(colored: bool = False) -> Any:
    """A disk of 255 on 0 with its edge antialiased."""
    drawn = image.new("L", (96, 96))
    extra("PIL.ImageDraw").Draw(drawn).ellipse((20, 20, 70, 70), fill=255)
    small = drawn.resize((24, 24), image.Resampling.BILINEAR)
    return cell(np.asarray(small.convert("RGB") if colored else small))


@pytest.mark.parametrize(("colored", "names"), [(False, ("0", "255")),
                                                (True, ("#000000", "#ffffff"))])  # fmt: skip
def test_antialiased_edges_are_no_classes(colored: bool, names: tuple[str, ...]) -> None:
    masks = rows(smoothed(colored))
    with pytest.raises(ValueError, match=f"of which only {', '.join(names)} fill areas"):
        classes_of({"train": masks}, "")
    assert classes_of({"train": masks}, "", "ignored") == names
    assert len(classes_of({"train": masks}, "", "learned")) > 4
    codes, _ = mask_codes(smoothed(colored))
    places = {code: n for n, code in enumerate(sorted({int(codes.min()), int(codes.max())}))}
    kept = numbered(codes, places)
    assert {*np.unique(kept).tolist()} == {0, 1, UNKNOWN} and (kept == UNKNOWN).mean() < 0.2


def test_thin_areas_and_few_values_at_edges_are_classes() -> None:
    thin = np.zeros((9, 9), dtype=np.uint8)
    thin[4], thin[:, 4], thin[6:, 6:] = 1, 2, 3
    assert classes_of({"train": rows(cell(thin))}, "") == ("0", "1", "2", "3")


def test_a_mask_of_another_size_is_refused_with_both(tmp_path: Path) -> None:
    put(tmp_path, *(f"{kind}/{n}.png" for n in range(9) for kind in ("images", "masks")))
    (tmp_path / "masks/4.png").write_bytes(mask_of((7, 6), 3, "x").content)
    why = r"the picture .*images/4.png is 6 by 8 pixels, and its mask .*masks/4.png 6 by 7"
    with pytest.raises(ValueError, match=why):
        Segment(str(tmp_path), lambda **_: None, SegmentSettings(size=6))


def test_a_mask_is_resized_without_new_classes() -> None:
    mask = np.array([[0, 0, 9], [0, 9, 9]], dtype=np.uint8)[:, :, None]
    larger = resized_mask(mask, (4, 6))[:, :, 0]
    assert larger.tolist() == np.repeat(np.repeat(mask[:, :, 0], 2, 0), 2, 1).tolist()
    assert resized_mask(mask, (1, 2), (1, 1, 3, 2))[:, :, 0].tolist() == [[9, 9]]
    assert png((1, 2, 3)).name == "a.png"


def test_the_columns_may_be_named(tmp_path: Path) -> None:
    put(tmp_path, *(f"{kind}/{n}.png" for n in range(30) for kind in ("i", "mask")))
    rows = "".join(f"i/{n}.png,mask/{n}.png\n" for n in range(30))
    (tmp_path / "list.csv").write_text("one,other\n" + rows)
    given = {"image": "one", "masks": "other"}
    corpus = read(str(tmp_path / "list.csv"), "segment", columns=given)
    assert corpus.names == ("one", "other")

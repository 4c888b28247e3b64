"""Pictures from files of every kind: the right way up, in three colours, or refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regard._io.extra import extra
from regard.data.encoding.decoded import decoded, middle, resized, with_short_side
from regard.data.encoding.pictures import Pictures, in_proportion, open_pictures, write_pictures
from regard.data.reading.pictures import (
    PictureCell,
    UnreadablePictureError,
    checked_picture,
    picture_cell,
    picture_format,
)
from tests.data.any_task import read
from tests.pictures import drawn, drawn_file, encoded, png

arrow = extra("pyarrow")
parquet = extra("pyarrow.parquet")
image = extra("PIL.Image")


def pixels(content: bytes) -> Any:
    return decoded(content, "a.png")


def cells(corpus: Any, split: str = "train") -> list[tuple[str, str]]:
    rows = corpus.splits[split]
    return sorted((PictureCell(row["image"]).name, row["label"]) for row in rows)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG"])
def test_a_picture_of_any_format_is_the_same_picture(form: str) -> None:
    content = encoded(drawn((250, 120, 10), (16, 9)), form)
    assert picture_format(content[:16]) is not None
    found, wanted = pixels(content).astype(int), np.array(drawn((250, 120, 10), (16, 9)), dtype=int)
    lossy = form in ("JPEG", "WEBP", "GIF")
    assert found.shape == (9, 16, 3) and np.abs(found - wanted).max() <= (30 if lossy else 0)


@pytest.mark.parametrize(
    ("mode", "color", "wanted"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("LA", (77, 255), (77, 77, 77)),
        ("LA", (77, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("I;16", 0x4D80, (0x4D, 0x4D, 0x4D)),
        ("P", 1, (1, 2, 3)),
    ],
)
def test_other_colours_become_red_green_and_blue(
    mode: str, color: Any, wanted: tuple[int, ...]
) -> None:
    made = image.new(mode, (3, 2), color)
    if mode == "P":
        made.putpalette([9, 9, 9, 1, 2, 3])
    assert (pixels(encoded(made)) == wanted).all()


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    made = image.new("P", (2, 2), 0)
    made.putpalette([9, 9, 9, 1, 2, 3])
    assert (pixels(encoded(made, transparency=0)) == 255).all()


def test_the_colours_of_print_become_those_of_light() -> None:
    red = image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for form in ("JPEG", "TIFF"):
        found = pixels(encoded(red, form)).astype(int)
        assert (found[..., 0] > 200).all() and (found[..., 1:] < 60).all()


def test_colours_of_16_bits_keep_their_upper_8() -> None:
    deep = np.full((2, 3), 40_000, dtype=np.uint16)
    assert (pixels(encoded(image.fromarray(deep))) == 40_000 >> 8).all()


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (np.full((2, 2), 0.5, dtype=np.float32), "numbers with a point"),
        (np.full((2, 2), 70_000, dtype=np.int32), "greys from 70,000 to 70,000"),
    ],
)
def test_greys_of_which_white_is_not_known_are_refused(made: Any, why: str) -> None:
    with pytest.raises(UnreadablePictureError, match=f"a.png has .*{why}"):
        pixels(encoded(image.fromarray(made), "TIFF"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(orientation: int) -> None:
    upright = np.zeros((2, 3, 3), dtype=np.uint8)
    upright[0, 0] = 255
    # What a camera writes that was held so: the picture turned the other way.
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = image.Exif()
    exif[0x0112] = orientation
    found = pixels(encoded(image.fromarray(np.ascontiguousarray(turned)), exif=exif))
    assert np.array_equal(found, upright)


def test_of_several_frames_the_first_is_taken() -> None:
    first, second = drawn((255, 0, 0)), drawn((0, 0, 255))
    content = encoded(first, "GIF", save_all=True, append_images=[second])
    assert pixels(content)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9])
def test_a_picture_that_is_cut_off_is_refused_by_name(form: str, kept: float) -> None:
    content = encoded(image.fromarray(np.arange(30_000).reshape(100, 100, 3).astype("u1")), form)
    with pytest.raises(ValueError, match="a.png is a damaged picture: "):
        pixels(content[: max(16, int(kept * len(content)))])


def test_damaged_bytes_are_a_value_error_or_a_picture() -> None:
    draw = np.random.default_rng(0)
    for form in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM"):
        content = bytearray(encoded(drawn((9, 200, 77), (20, 20)), form))
        for _ in range(60):
            broken = content.copy()
            for place in draw.integers(len(broken), size=4):
                broken[place] = draw.integers(256)
            try:
                assert pixels(bytes(broken)).ndim == 3
            except ValueError as error:
                assert str(error).startswith("a.png ")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", 50)
    for size in ((8, 8), (80, 80)):
        why = f"a.png has {size[0] * size[1]:,} pixels, more than the 50 that are read"
        with pytest.raises(ValueError, match=why):
            pixels(encoded(drawn(7, size, "L")))


def test_the_middle_of_a_resized_picture_has_its_proportions() -> None:
    picture = np.zeros((20, 60, 3), dtype=np.uint8)
    picture[:, 20:40] = 200
    found = middle(with_short_side(picture, 10), (10, 10))
    assert found.shape == (10, 10, 3) and (found[:, 1:-1] == 200).all()
    assert resized(picture, (20, 60)) is picture
    assert in_proportion(picture).shape == (20, 60, 3)
    assert in_proportion(np.zeros((2, 90, 3), np.uint8)).shape == (2, 6, 3)
    assert with_short_side(np.zeros((3, 1, 3), np.uint8), 32).shape == (96, 32, 3)


def test_pictures_of_different_sizes_are_kept_and_found_again(tmp_path: Path) -> None:
    rows = [{"image": png((n, 0, 0), (3 + n, 4), str(n)), "label": n % 2} for n in range(150)]

    class Rows(list[Any]):
        def __getitem__(self, key: Any) -> Any:
            some = super().__getitem__(key)
            return {name: [row[name] for row in some] for name in ("image", "label")}

    def kept(some: Any) -> Any:
        return {"pictures": [decoded(PictureCell(c).content, "x") for c in some["image"]]}

    made = write_pictures(Rows(rows), tmp_path / "a", kept, lambda some: some["label"])
    again = open_pictures(tmp_path / "a")
    assert len(made) == len(again) == 150 and again.masks is None
    assert again.pictures[77].shape == (4, 80, 3)
    assert all(np.array_equal(made.pictures[n], again.pictures[n]) for n in range(150))
    assert again.labels.tolist() == [n % 2 for n in range(150)]
    (tmp_path / "a" / "pictures.values").write_bytes(b"0")
    with pytest.raises(ValueError, match="is damaged"):
        open_pictures(tmp_path / "a")
    assert len(Pictures.of([])) == 0


LAYOUTS = {
    "folders": ("cat/1.png", "cat/2.JPG", "dog/1.jfif", "dog/deep/er/2.png"),
    "splits": ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "val/dog/4.png"),
    "within": ("pets/train/cat/1.png", "pets/train/dog/2.png", "pets/test/dog/3.png"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_folders_of_pictures_are_their_labels(name: str, tmp_path: Path) -> None:
    for number, path in enumerate(LAYOUTS[name]):
        drawn_file((50 * number, 9, 9), path=tmp_path / path)
    (tmp_path / LAYOUTS[name][0]).with_name("notes.txt").write_text("no picture")
    (tmp_path / LAYOUTS[name][0]).with_name(".DS_Store").write_bytes(b"\0")
    corpus = read(str(tmp_path))
    assert corpus.task == "image_classify" and corpus.labels == ("cat", "dog")
    found = [cell for split in corpus.splits for cell in cells(corpus, split)]
    wanted = [(str(tmp_path / p), "cat" if "cat" in p else "dog") for p in LAYOUTS[name]]
    assert sorted(found) == sorted(wanted)
    assert "the folders of the pictures are their labels" in corpus.description
    assert "files that are no pictures are left out: notes.txt" in corpus.description
    if name == "splits":
        assert [len(corpus.splits[split]) for split in ("train", "valid", "test")] == [2, 1, 1]


def test_a_link_to_nothing_a_folder_named_as_a_picture_and_one_without_pictures(
    tmp_path: Path,
) -> None:
    for number, path in enumerate(("cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png")):
        drawn_file((50 * number, 9, 9), path=tmp_path / path)
    (tmp_path / "cat/5.png").mkdir()
    (tmp_path / "cow").mkdir()
    corpus = read(str(tmp_path))
    assert corpus.labels == ("cat", "dog") and sum(map(len, corpus.splits.values())) == 4
    assert "folders without pictures are left out: cow" in corpus.description
    (tmp_path / "dog/6.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(ValueError, match=r"dog/6.png is a link to .*gone.png, which is not there"):
        read(str(tmp_path))


def test_pictures_without_labels_and_of_one_label_are_refused(tmp_path: Path) -> None:
    drawn_file((9, 9, 9), path=tmp_path / "flat" / "a.png")
    with pytest.raises(ValueError, match=r"holds pictures without labels; put those of each"):
        read(str(tmp_path / "flat"))
    drawn_file((9, 9, 9), path=tmp_path / "one" / "cat" / "a.png")
    with pytest.raises(ValueError, match=r"one folder of pictures, cat, .* at least 2 are needed"):
        read(str(tmp_path / "one"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cat/2.png is empty; it should be a picture"),
        (b"just a text", r"cat/2.png is no picture: it begins with b'just a t'"),
        (b"%PDF-1.7 x", "cat/2.png is no picture .*: it is a PDF; save its pages as PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "it is HEIC, as phones write it; save it as JPEG"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "it is AVIF; save it as PNG"),
        (b"\xff\x0a\0\0", "it is JPEG XL"),
        (
            b'<?xml version="1.0"?>\n<svg xmlns="">',
            "it is SVG, which has no pixels; draw it as PNG",
        ),
        (b"<!DOCTYPE html><title>404", "it is a page of the web; download the picture again"),
        (b"\0\0\1\0\1\0", "it is an icon; save it as PNG"),
    ],
)
def test_a_file_that_is_no_picture_is_named(content: bytes, why: str, tmp_path: Path) -> None:
    for path in ("cat/1.png", "cat/2.png", "dog/1.png"):
        drawn_file((9, 9, 9), path=tmp_path / path)
    (tmp_path / "cat/2.png").write_bytes(content)
    with pytest.raises(ValueError, match=why):
        read(str(tmp_path))


@pytest.mark.parametrize("beside", [True, False], ids=["the table's folder", "where one stands"])
def test_a_table_names_the_files_of_pictures(
    beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / ("data" if beside else "here")
    for number in range(6):
        drawn_file((9 * number, 9, 9), path=place / f"img/{number}.png")
    (tmp_path / "data").mkdir(exist_ok=True)
    text = "file,kind\n" + "".join(f"img/{n}.png,{'ab'[n % 2]}\n" for n in range(6))
    (tmp_path / "data/list.csv").write_text(text + ",a\n")
    monkeypatch.chdir(tmp_path / "here" if not beside else tmp_path)
    corpus = read(str(tmp_path / "data/list.csv"))
    assert corpus.task == "image_classify" and corpus.labels == ("a", "b")
    found = [cell for split in corpus.splits for cell in cells(corpus, split)]
    files = [str(place / f"img/{n}.png") if beside else f"img/{n}.png" for n in range(6)]
    assert sorted(found) == [(file, "ab"[n % 2]) for n, file in enumerate(files)]
    assert "1 rows without an image left out" in corpus.description
    assert len(corpus.files) == 7


def test_a_changed_picture_is_read_again(tmp_path: Path) -> None:
    for number in range(6):
        drawn_file((9 * number, 9, 9), path=tmp_path / f"{number}.png")
    text = "image,label\n" + "".join(f"{n}.png,{'ab'[n % 2]}\n" for n in range(6))
    (tmp_path / "list.csv").write_text(text)
    before = read(str(tmp_path / "list.csv"), cache=tmp_path / "cache").fingerprint
    drawn_file((200, 9, 9), path=tmp_path / "0.png")
    assert read(str(tmp_path / "list.csv"), cache=tmp_path / "cache").fingerprint != before


def test_a_table_whose_picture_is_not_there_says_the_line(tmp_path: Path) -> None:
    for number in range(3):
        drawn_file((9 * number, 9, 9), path=tmp_path / f"{number}.png")
    text = "image,label\n0.png,a\n1.png,b\n2.png,a\n2.jpg,b\n"
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ValueError, match=r"list.csv line 5: .*2.jpg does not exist; .* 2.png"):
        read(str(tmp_path / "list.csv"))


@pytest.mark.parametrize("names", [("image", "label"), ("img", "fine_label"), ("picture", "kind")])
@pytest.mark.parametrize("struct", [True, False])
def test_a_parquet_file_holds_pictures_as_the_hub_keeps_them(
    names: tuple[str, str], struct: bool, tmp_path: Path
) -> None:
    def kept(n: int) -> Any:
        content = encoded(drawn((9 * n, 9, 9)))
        return {"bytes": content, "path": f"{n}.png"} if struct else content

    entries = [{names[0]: kept(n), names[1]: "ab"[n % 2]} for n in range(30)]
    parquet.write_table(arrow.Table.from_pylist(entries), tmp_path / "train.parquet")
    corpus = read(str(tmp_path / "train.parquet"))
    assert corpus.task == "image_classify" and corpus.labels == ("a", "b")
    found = [name for split in corpus.splits for name, _ in cells(corpus, split)]
    assert len(found) == 30 and ("7.png" in found) == struct


def test_a_picture_in_a_parquet_file_that_is_none_says_the_row(tmp_path: Path) -> None:
    entries = [
        {"image": {"bytes": encoded(drawn((9 * n, 9, 9))), "path": None}, "label": n % 2}
        for n in range(30)
    ]
    entries[7]["image"]["bytes"] = b"no picture"  # type: ignore[index]
    parquet.write_table(arrow.Table.from_pylist(entries), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet row 8: 'image' is no picture"):
        read(str(tmp_path / "a.parquet"))


def test_the_same_picture_under_two_names_stands_on_one_side(tmp_path: Path) -> None:
    for number in range(40):
        for copy in "ab":
            path = tmp_path / f"{'even' if number % 2 else 'odd'}/{number}{copy}.png"
            drawn_file((6 * number, 9, 9), path=path)
    corpus = read(str(tmp_path))
    sides = [{name[:-5] for name, _ in cells(corpus, split)} for split in ("train", "valid")]
    assert sides[1] and not sides[0] & sides[1]


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r'reading pictures needs .*"regard\[image\]"'):
        pixels(b"\x89PNG")


def test_a_cell_keeps_the_name_and_the_bytes() -> None:
    cell = PictureCell.of("ä/1.png", b"\x89PNG\0\0")
    again = PictureCell(bytes(cell))
    assert (again.name, again.content) == ("ä/1.png", b"\x89PNG\0\0")
    with pytest.raises(ValueError, match="x is empty"):
        checked_picture(picture_cell("a", b"", "x"))

"""Damaged pictures among whole ones: an error that names the first, or left out and counted."""

from pathlib import Path
from typing import Any

import pytest

import regard
from regard._io.extra import extra
from regard.data.reading.pictures import PictureCell
from regard.errors import UsageError
from regard.run.training import Options
from regard.tasks import task_class
from tests.data.any_task import read
from tests.pictures import drawn, encoded, mask_of

arrow = extra("pyarrow")
parquet = extra("pyarrow.parquet")

COUNT, LOST = 40, (7, 21)
DAMAGE = {
    "empty": lambda content: b"",
    "text": lambda content: b"<html>404 Not Found</html>",
    "cut off": lambda content: content[: len(content) // 2],
    "bits changed": lambda content: content[:50] + bytes(9) + content[59:],
}


def content(number: int, damage: str) -> bytes:
    whole = encoded(drawn((6 * number, 99, 9), (40, 30)), "PNG" if number % 2 else "JPEG")
    if number not in LOST or not damage:
        return whole
    if damage == "bits changed" and number % 2 == 0:
        return whole[:100]  # a JPEG whose bits are changed is another picture
    return DAMAGE[damage](whole)


def put(path: Path, some: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(some)


def folders(place: Path, damage: str) -> str:
    for n in range(COUNT):
        put(place / "ab"[n % 2] / f"{n}.png", content(n, damage))
    return "image_classify"


def table(place: Path, damage: str) -> str:
    folders(place / "img", damage)
    lines = (f"img/{'ab'[n % 2]}/{n}.png,{'ab'[n % 2]}\n" for n in range(COUNT))
    (place / "list.csv").write_text("image,label\n" + "".join(lines))
    return "image_classify"


def hub(place: Path, damage: str) -> str:
    rows = [
        {"image": {"bytes": content(n, damage), "path": f"{n}.png"}, "label": n % 2}
        for n in range(COUNT)
    ]
    parquet.write_table(arrow.Table.from_pylist(rows), place / "train.parquet")
    return "image_classify"


def captions(place: Path, damage: str) -> str:
    folders(place / "img", damage)
    lines = (f"{n}.png,a cat lies on sofa {n} {m}\n" for n in range(COUNT) for m in range(2))
    (place / "captions.csv").write_text("image,caption\n" + "".join(lines))
    return "caption"


def masks(place: Path, damage: str) -> str:
    for n in range(COUNT):
        put(place / "images" / f"{n}.jpg", content(n, damage if n == LOST[0] else ""))
        mask = mask_of((40, 30), n, "x").content
        put(place / "masks" / f"{n}.png", DAMAGE[damage](mask) if n == LOST[1] else mask)
    return "segment"


PAIRS = [
    (layout, damage)
    for layout in (folders, table, hub, captions, masks)
    for damage in DAMAGE
    if (layout, damage) != (hub, "empty")  # no bytes in a table are no picture
]


@pytest.mark.parametrize(("layout", "damage"), PAIRS)
def test_rows_of_pictures_that_cannot_be_read_are_left_out_and_named(
    layout: Any, damage: str, tmp_path: Path
) -> None:
    task = layout(tmp_path, damage)
    corpus = read(str(tmp_path), readable=True)
    assert corpus.task == task
    stems = [
        Path(PictureCell(row["image"]).name).stem for rows in corpus.splits.values() for row in rows
    ]
    each = 2 if layout is captions else 1
    whole = [str(n) for n in range(COUNT) if n not in LOST for _ in range(each)]
    assert sorted(stems) == sorted(whole)
    (said,) = (line for line in corpus.description.splitlines() if "cannot be read" in line)
    begins = f"{2 * each} rows left out whose picture cannot be read (train): "
    assert said.startswith(begins) and all(f"{n}.png" in said or f"{n}.jpg" in said for n in LOST)


@pytest.mark.parametrize(("layout", "damage"), PAIRS)
def test_otherwise_the_first_is_an_error_that_names_it_and_the_setting(
    layout: Any, damage: str, tmp_path: Path
) -> None:
    task = layout(tmp_path, damage)
    with pytest.raises(ValueError, match=r"(?s)(7|21|row 8).*unreadable=leave_out"):
        kind = task_class(task)
        kind.prepare(read(str(tmp_path)), kind.settings_type(size=8))


def test_pictures_without_damage_are_the_same_either_way(tmp_path: Path) -> None:
    folders(tmp_path, "")
    one, other = (read(str(tmp_path), readable=each) for each in (False, True))
    assert one.description == other.description
    assert [*one.splits["train"]] == [*other.splits["train"]]


def test_damage_in_the_pictures_to_validate_on_is_said_too(tmp_path: Path) -> None:
    folders(tmp_path / "train", "")
    folders(tmp_path / "valid", "cut off")
    said = read(str(tmp_path), readable=True).description
    assert "2 rows left out whose picture cannot be read (valid): " in said


def test_where_every_picture_is_damaged_it_says_so(tmp_path: Path) -> None:
    for n in range(COUNT):
        put(tmp_path / "ab"[n % 2] / f"{n}.png", b"no picture")
    with pytest.raises(
        ValueError, match=" and others: no usable line; 40 rows left out whose .* and 30 more"
    ):
        read(str(tmp_path), readable=True)


def test_a_run_leaves_them_out_and_says_so_at_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders(tmp_path / "data", "cut off")
    given: Any = {"size": 8, "epochs": 1, "model": "resnet", "shape": "cifar(depth=8, width=2)"}
    with pytest.raises(UsageError, match=r"21.png is a damaged .*; --set unreadable=leave_out"):
        regard.train(tmp_path / "data", out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()
    run = regard.train(
        tmp_path / "data",
        unreadable="leave_out",
        out=tmp_path / "run",
        options=Options(progress=True),
        **given,
    )
    *_, end = capsys.readouterr().out.partition("Best on validation data")
    assert "2 rows left out whose picture cannot be read (train): " in end
    notes = run.examination(tmp_path / "data").notes
    assert any("2 rows left out whose picture cannot be read" in each for each in notes)


def test_a_task_without_pictures_refuses_the_setting(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text("text,label\n" + "a good film,pos\na bad film,neg\n" * 20)
    with pytest.raises(UsageError, match="unreadable is for pictures, and the task classify has"):
        regard.train(tmp_path / "films.csv", unreadable="leave_out", out=tmp_path / "run")

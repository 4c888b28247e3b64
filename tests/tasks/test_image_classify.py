"""Labels of pictures: what is learned of them, how they are changed, and how they are asked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regard
from regard._io.extra import extra
from regard.cli import main
from regard.data.encoding.augment import CropFlip, ResizedCrop, Unchanged
from regard.data.encoding.decoded import middle, with_short_side
from regard.errors import UsageError
from regard.models.vit import ViTClassifier, ViTClassifierConfig
from regard.run.run import Run
from regard.run.training import Options
from regard.tasks.colors import KNOWN, Colors
from regard.tasks.image_classify import ImageClassify, ImageClassifySettings
from regard.tasks.picture_input import pictures_of
from regard.view.frame import frame_of
from tests.pictures import drawn, drawn_file, encoded, png
from tests.tables.tasks import PICTURES, ROWS
from tests.tasks.rows import learn

QUIET = Options(progress=False)
SMALL = {"shape": "cifar(depth=8, width=4)", "size": 8, "batch_size": 16}
RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (9, 12, 3), dtype=np.uint8)
FILL = np.array([1, 2, 3], dtype=np.uint8)


def task_with(**settings: Any) -> Any:
    row = ROWS["image_classify"]
    return row.made(Path(), row.made_settings(**settings))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(40):
        color = (220, 30, 30) if number % 2 else (30, 30, 220)
        name = f"{'red' if number % 2 else 'blue'}/{number}.png"
        drawn_file((color[0] - number, color[1] + number, color[2]), (9, 8), tmp_path / "p" / name)
    return tmp_path / "p"


def test_a_picture_is_moved_and_mirrored_and_nothing_else() -> None:
    seen = set()
    for number in range(600):
        rng = np.random.default_rng(number)
        found = CropFlip(padding=2).changed(PICTURE, (8, 8), FILL, rng)
        kept = PICTURE[:, 2:10][round(0.5) :][:8]
        for mirrored in (found, found[:, ::-1]):
            for down in range(-2, 3):
                for right in range(-2, 3):
                    moved = np.broadcast_to(FILL, (12, 12, 3)).copy()
                    moved[2:10, 2:10] = kept
                    part = moved[2 - down : 10 - down, 2 - right : 10 - right]
                    if np.array_equal(part, mirrored):
                        seen.add((down, right, mirrored is found))
    assert len(seen) == 50


def test_a_part_of_any_size_becomes_one_of_the_networks_size() -> None:
    gradient = np.zeros((40, 60, 3), dtype=np.uint8)
    gradient[..., 0] = np.linspace(0, 255, 60)[None]
    gradient[..., 1] = np.linspace(0, 255, 40)[:, None]
    widths = []
    for number in range(100):
        rng = np.random.default_rng(number)
        found = ResizedCrop(flip=False).changed(gradient, (8, 8), FILL, rng).astype(float)
        assert found.shape == (8, 8, 3)
        across, down = found[4, -1, 0] - found[4, 0, 0], found[-1, 4, 1] - found[0, 4, 1]
        widths.append((across / 255, down / 255))
    areas = np.prod(widths, axis=1)
    assert areas.min() < 0.25 and areas.max() > 0.6 and (np.array(widths) > 0.1).all()
    assert np.array_equal(Unchanged().changed(PICTURE, (9, 12), FILL, RANDOM), PICTURE)
    tall = np.zeros((90, 4, 3), np.uint8)
    assert ResizedCrop(least_area=1.0).changed(tall, (4, 4), FILL, RANDOM).shape == (4, 4, 3)


@pytest.mark.parametrize("augment", ["crop_flip(padding=2)", "resized_crop"])
def test_a_picture_is_changed_by_seed_epoch_and_row_alone(augment: str) -> None:
    task = task_with(augment=augment)
    rows = np.array([3, 0, 5])
    first = task.part(1).batch(rows)
    alone = [task.part(1).batch(rows[n : n + 1]).images[0] for n in range(3)]
    assert torch.equal(first.images, torch.stack(alone))
    again = task_with(augment=augment).part(1).batch(rows)
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, task.part(2).batch(rows).images)
    task.seed = 1
    assert not torch.equal(first.images, task.part(1).batch(rows).images)
    plain = task_with()
    assert torch.equal(task.batch("valid", rows).images, plain.batch("valid", rows).images)


def test_colours_are_measured_by_the_training_data_or_as_is_said() -> None:
    task = task_with(short_side=6)
    images = task.batch("train", np.arange(task.size("train"))).images.double()
    # Of pictures that are not square the middle alone is read.
    torch.testing.assert_close(images.mean((0, 2, 3)), torch.zeros(3).double(), rtol=0, atol=0.2)
    assert task_with(colors="half").coder.colors == KNOWN["half"]
    white = np.full((1, 2, 2, 3), 255, np.uint8)
    assert KNOWN["half"].scaled(white).eq(1).all()
    found = Colors.of([np.full((4, 4, 3), 51, np.uint8)])
    assert found.mean == pytest.approx((0.2,) * 3) and found.deviation == (1 / 255,) * 3


def test_a_small_network_learns_colours() -> None:
    task = task_with(smoothing=0.0)
    learn(task, 60, 0.02)
    records = task.examine("valid", np.arange(task.size("valid")))
    assert task.score("valid", records)["accuracy"] == 1.0


def test_every_way_to_give_a_picture_gives_the_same_answer(tmp_path: Path) -> None:
    predictor = task_with().predictor
    predictor.model.eval()
    made = drawn((200, 10, 30), (9, 8))
    path = tmp_path / "a.png"
    path.write_bytes(encoded(made))
    ways = [str(path), path, encoded(made), made, np.array(made), png((200, 10, 30), (9, 8), "b")]
    found = predictor.predict(ways, 2)
    assert len({answer.answers for answer in found}) == 1
    assert [answer.text for answer in found[:3]] == [str(path), str(path), "picture 3 of 6"]
    grey = np.full((5, 7), 9, np.uint8)
    same = np.repeat(grey[:, :, None], 3, 2)
    assert len({a.answers for a in predictor.predict([grey, same, grey[:, :, None]])}) == 1


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ("nowhere/a.png", ValueError, "picture 1 of 1: .*nowhere.* does not exist"),
        (b"", ValueError, "picture 1 of 1 is empty"),
        (b"text", ValueError, "picture 1 of 1 is no picture"),
        (7, TypeError, "must be the path of a picture, .* got 7"),
        (np.zeros((2, 2)), ValueError, r"bytes \(uint8\) .* got float64 \[2, 2\]"),
        (np.zeros((2, 2, 4), np.uint8), ValueError, r"got uint8 \[2, 2, 4\]"),
        (np.zeros((0, 2, 3), np.uint8), ValueError, r"got uint8 \[0, 2, 3\]"),
    ],
)
def test_what_is_no_picture_is_refused(given: Any, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        task_with().predictor.predict([given])


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="short_side 7 is less than size 8"):
        ImageClassifySettings(size=8, short_side=7)
    with pytest.raises(ValueError, match="there is no augment 'crop'"):
        ImageClassifySettings.from_entries({"augment": "crop"})


def test_a_damaged_picture_stops_the_preparation_with_its_name(folder: Path) -> None:
    whole = encoded(drawn((1, 2, 3), (30, 30)))
    (folder / "red" / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="red/cut.png is a damaged picture"):
        regard.train(folder, **SMALL, steps=1, out=folder.parent / "run", options=QUIET)


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({"block": "cbam(reduction=2)"}, "gate "),
        ({"model": "ram", "size": 16, "patch_size": 4, "patches": 1, "glimpses": 2}, ""),
        ({"block": "se(reduction=2)"}, None),
    ],
    ids=["gates of places", "glimpses", "gates of channels"],
)
def test_the_page_of_a_run_has_what_looked_over_its_pictures(
    folder: Path, tmp_path: Path, given: dict[str, Any], rows: str | None
) -> None:
    small = {"batch_size": 8, "steps": 1} if "model" in given else SMALL | {"steps": 1}
    run = regard.train(folder, **small, **given, out=tmp_path / "run", options=QUIET)
    (look,) = map(json.loads, (tmp_path / "run" / "samples.jsonl").read_text().splitlines())
    (answer, *_) = run.predict([folder / "red" / "1.png"])
    if rows is None:
        assert answer.areas is None and look["samples"][0]["weights"] is None
        return
    for sample in look["samples"]:
        frame = frame_of(look, sample)
        assert frame is not None and frame.picture is not None
        assert all(name.startswith(rows or sample["answer"]) for name in frame.outputs)
        assert len(frame.inputs) == frame.picture["rows"] * frame.picture["columns"] > 1
    if not rows:
        assert answer.weights is not None and answer.weights.shape == (16, 16)
        torch.testing.assert_close(answer.areas.weights.sum(), answer.weights.sum())


def test_a_folder_of_pictures_is_trained_on_evaluated_and_asked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    given = {**SMALL, "augment": "crop_flip(padding=1)", "steps": 60, "evaluate_every": 60}
    block = "se(reduction=2)"
    run = regard.train(folder, **given, block=block, learning_rate=0.02, out=out, options=QUIET)
    assert run.settings.task_name == "image_classify" and run.model.config.block is not None
    assert run.evaluate(folder)["accuracy"] > 0.9
    one, other = folder / "red" / "1.png", folder / "blue" / "0.png"
    assert [answer.best for answer in run.predict([str(one), other])] == ["red", "blue"]
    details = run.examination(folder).details
    assert {table.name for table in details.tables} == {"per_class", "confusion"}
    table = tmp_path / "ask.csv"
    table.write_text(f"image,label\n{one},red\np/blue/0.png,red\n,red\np/blue/9.png,blue\n")
    found = run.predict_file(table, compare=True)
    assert found.answers[:3] == ("red", "blue", None)
    assert found.rows == 4 and found.answered == 2
    assert any("p/blue/9.png" in note and "does not exist" in note for note in found.notes)
    assert main(["predict", str(out), str(one), str(other)]) == 0
    assert capsys.readouterr().out.split() == ["red", "blue"]
    assert main(["predict", str(out), str(folder / "blue")]) == 0
    assert capsys.readouterr().out.split() == ["blue"] * 20
    assert main(["predict", str(out), str(table)]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["red", "blue"]
    assert main(["eval", str(out), "--data", str(folder)]) == 0
    assert "accuracy" in capsys.readouterr().out
    for word, why in (("nowhere", "does not exist"), (str(tmp_path / "run" / "best"), "without a")):
        assert main(["predict", str(out), word]) != 0
        assert why in capsys.readouterr().err


def test_a_run_that_goes_on_is_the_uninterrupted_one(folder: Path, tmp_path: Path) -> None:
    given = {**SMALL, "augment": "crop_flip(padding=2)", "schedule": "constant", "warmup": 0}
    whole = regard.train(folder, **given, steps=7, out=tmp_path / "whole", options=QUIET)
    part = regard.train(folder, **given, steps=3, out=tmp_path / "part", options=QUIET)
    part = part.resume(steps=7, options=QUIET)
    last = [[line for line in run.history if line["kind"] == "valid"][-1] for run in (whole, part)]
    assert last[0]["step"] == last[1]["step"] == 7
    assert last[0]["loss"] == last[1]["loss"]


def test_the_rows_of_the_table_are_what_is_asked() -> None:
    assert len(PICTURES) == 60 and extra("PIL.Image")
    assert ImageClassify.metric_with(ImageClassifySettings(class_weights="balanced")) == (
        "balanced_accuracy"
    )


def published(folder: Path, **changes: Any) -> Any:
    """A folder in Hugging Face's layout with a small vision transformer."""
    torch.manual_seed(0)
    sizes = {"embed_dim": 8, "num_heads": 2, "layers": 1, "ff_dim": 8, "classes": 3}
    small = {"image_size": (8, 8), "patch_size": (4, 4), **sizes, **changes}
    config = ViTClassifierConfig.from_entries(small)
    model = ViTClassifier(config)
    regard.save(model, folder)
    means = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.4, 0.3]}
    (folder / "preprocessor_config.json").write_text(json.dumps(means))
    return model


def test_a_published_vision_transformer_is_fine_tuned(folder: Path, tmp_path: Path) -> None:
    model = published(tmp_path / "vit")
    out = tmp_path / "run"
    run = regard.train(folder, start=tmp_path / "vit", steps=1, out=out, options=QUIET)
    assert run.model.config.tag == "vit_classifier" and run.model.config.classes == 2
    assert run.predictor.coder.colors == Colors((0.1, 0.2, 0.3), (0.5, 0.4, 0.3))
    assert run.predictor.coder.size == 8
    mine, theirs = run.model.encoder.state_dict(), model.encoder.state_dict()
    # One update at a small rate moves no weight far.
    assert all((mine[name] - theirs[name]).abs().max() < 1e-3 for name in theirs)
    text = tmp_path / "text.csv"
    text.write_text("text,label\n" + "so it is,a\nso it was,b\n" * 20)
    for data, more, why in (
        (folder, {"size": 16}, "positions for pictures of size 8, and 16 is asked for"),
        (text, {}, "there must be image and label"),
    ):
        with pytest.raises(UsageError, match=why):
            regard.train(data, start=tmp_path / "vit", steps=1, out=tmp_path / "x", **more)
    published(tmp_path / "long", image_size=(8, 12))
    with pytest.raises(UsageError, match="reads pictures of 8 by 12"):
        regard.train(folder, start=tmp_path / "long", steps=1, out=tmp_path / "x")
    (tmp_path / "vit/preprocessor_config.json").write_text('{"image_mean": [0.1]}')
    with pytest.raises(UsageError, match="has 1 means and 3 deviations, not 3"):
        regard.train(folder, start=tmp_path / "vit", steps=1, out=tmp_path / "x")


def test_a_run_begins_with_anothers_weights_and_its_measure_of_colours(
    folder: Path, tmp_path: Path
) -> None:
    first = regard.train(folder, **SMALL, steps=2, out=tmp_path / "one", options=QUIET)
    other = tmp_path / "other"
    for number in range(20):
        name = f"{'red' if number % 2 else 'green'}/{number}.png"
        drawn_file((9 * number, 200, 9), path=other / name)
    run = regard.train(other, start=tmp_path / "one", steps=1, out=tmp_path / "two", options=QUIET)
    assert run.predictor.coder.colors == first.predictor.coder.colors
    assert run.predictor.coder.labels == ("green", "red")


def test_a_published_folder_is_asked_as_it_is(tmp_path: Path, folder: Path) -> None:
    model = published(tmp_path / "vit", labels=("cat", "dog", "cow")).eval()
    run, picture = Run(tmp_path / "vit"), folder / "red" / "1.png"
    (answer,) = run.predict([picture], 3)
    pixels = middle(with_short_side(pictures_of([picture])[0][1], 8), (8, 8))
    images = (torch.tensor(pixels.copy()).double() / 255).permute(2, 0, 1)
    mean, deviation = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.4, 0.3])
    read = (images - mean[:, None, None]) / deviation[:, None, None]
    wanted = model.double()(read[None])[0].log_softmax(-1).tolist()
    named = dict(zip(("cat", "dog", "cow"), wanted, strict=True))
    assert dict(answer.answers) == pytest.approx(named, abs=1e-4)
    assert answer.weights is not None
    seen = model.attention_weights(read[None])[0].T.float()
    torch.testing.assert_close(answer.weights, seen, rtol=0, atol=1e-5)
    published(tmp_path / "long", image_size=(8, 12))
    with pytest.raises(ValueError, match="reads pictures of 8 by 12"):
        Run(tmp_path / "long").predict([picture])

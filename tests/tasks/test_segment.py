"""Classes of pixels: their loss, their overlap, and pictures of any size asked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regard
from regard._io.extra import extra
from regard.cli import main
from regard.errors import UsageError
from regard.run.training import Options
from regard.tasks.segment.loss import dice_loss, pixel_loss
from regard.tasks.segment.metrics import mask_record, mask_scores
from regard.view.frame import frame_of
from tests.tables.tasks import ROWS, SCENES

QUIET = Options(progress=False)
SMALL = {"depth": 1, "width": 4, "size": 8, "batch_size": 8}


def task_with(**settings: Any) -> Any:
    row = ROWS["segment"]
    return row.made(Path(), row.made_settings(**settings))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Bright columns on the left of a picture are of class 2."""
    for number in range(40):
        pixels = np.full((8, 9, 3), 20 + number, dtype=np.uint8)
        mask = np.zeros((8, 9), dtype=np.uint8)
        pixels[:, : 2 + number % 5] += 150
        mask[:, : 2 + number % 5] = 2
        for name, each in (("images", pixels), ("masks", mask)):
            place = tmp_path / "data" / name / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            extra("PIL.Image").fromarray(each).save(place)
    return tmp_path / "data"


def test_a_mask_is_changed_as_its_picture_is() -> None:
    for augment in ("crop_flip(padding=2)", "resized_crop(least_area=0.5)"):
        task = task_with(augment=augment, size=7, short_side=7)
        train = task.data.examples["train"]
        # Each picture is its own mask, in three equal colours.
        masks = [train.masks[n] for n in range(len(train))]
        pictures = [np.repeat(100 * mask, 3, 2) for mask in masks]
        same = type(train)(type(train.pictures).of(pictures), train.labels, train.masks)
        part = type(task.part(0))(task.coder, same, task.settings.augment, (0, 1))
        batch = part.batch(np.arange(len(train)))
        colors = task.coder.colors
        mean, deviation = (torch.tensor(c)[:, None, None] for c in (colors.mean, colors.deviation))
        seen = ((batch.images * deviation + mean) * 2.55).round()[:, 0]
        known = batch.mask >= 0
        assert known.float().mean() > 0.5
        inside = (seen[known] - batch.mask[known]).abs()
        # A resized border has colours between.
        assert (inside < 0.6).float().mean() > (0.7 if "resized" in augment else 0.999)


def test_the_losses_are_their_definitions() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, requires_grad=True)
    mask = torch.randint(-1, 3, (2, 4, 5))
    mask[1, 0] = -1
    mask[1][mask[1] == 2] = 0  # Of two pictures one has a class less.
    wanted, dice = [], []
    for picture, classes in zip(logits.detach().double().numpy(), mask.numpy(), strict=True):
        p = np.exp(picture) / np.exp(picture).sum(0)
        known = classes >= 0
        nll = -np.log(np.take_along_axis(p, np.maximum(classes, 0)[None], 0)[0])
        wanted.append(nll[known].mean())
        overlap = []
        for c in set(classes[known].tolist()):
            y = (classes == c) & known
            overlap.append(2 * (p[c] * y).sum() / ((p[c] * known).sum() + y.sum()))
        dice.append(1 - np.mean(overlap))
    torch.testing.assert_close(pixel_loss(logits, mask).detach(), torch.tensor(wanted).float())
    torch.testing.assert_close(dice_loss(logits, mask).detach(), torch.tensor(dice).float())
    (pixel_loss(logits, mask) + dice_loss(logits, mask)).sum().backward()
    assert logits.grad is not None
    unknown = (mask < 0).unsqueeze(1).expand_as(logits)
    assert not logits.grad[unknown].any() and logits.grad[~unknown].any()
    nothing = torch.full((1, 4, 5), -1)
    assert pixel_loss(logits[:1], nothing).item() == dice_loss(logits[:1], nothing).item() == 0


def test_the_overlaps_are_counted_over_all_pictures() -> None:
    rng = np.random.default_rng(0)
    masks, answers = rng.integers(-1, 3, (2, 4, 6, 6))
    answers = np.maximum(answers, 0)
    records = []
    for mask, answer in zip(masks, answers, strict=True):
        scores = torch.nn.functional.one_hot(torch.tensor(answer), 4).permute(2, 0, 1).float()
        records.append(mask_record(scores, mask, 1.0))
    found = mask_scores(records)
    known = masks >= 0
    ious, dices = [], []
    for c in range(3):
        one, other = (masks == c) & known, (answers == c) & known
        ious.append((one & other).sum() / (one | other).sum())
        dices.append(2 * (one & other).sum() / (one.sum() + other.sum()))
    assert found["iou"] == pytest.approx(np.mean(ious))
    assert found["dice"] == pytest.approx(np.mean(dices))
    assert found["pixel_accuracy"] == pytest.approx((masks == answers)[known].mean())
    unknown = mask_record(torch.zeros(4, 2, 2), np.full((2, 2), -1), 0.0)
    assert mask_scores([unknown]) == {"loss": 0.0, "pixel_accuracy": 0.0, "iou": 0.0, "dice": 0.0}


def test_an_ignored_class_is_not_learned() -> None:
    task = task_with()
    assert task.coder.labels == ("0", "2")
    with pytest.raises(ValueError, match="all pixels are of the class 0"):
        task_with(ignored="2")
    assert task.coder._code("#ff8000") == 0xFF8000


def test_a_folder_of_masks_is_trained_on_and_asked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    given = {**SMALL, "steps": 60, "evaluate_every": 60, "learning_rate": 0.02}
    run = regard.train(folder, **given, out=out, options=QUIET)
    assert run.settings.task_name == "segment" and run.settings.model_name == "unet"
    scores = run.evaluate(folder)
    assert scores["iou"] > 0.9 and set(scores) == {"loss", "pixel_accuracy", "iou", "dice"}
    tables = run.examination(folder).details.tables
    assert [row[0] for row in tables[0].rows] == ["0", "2"]
    one = folder / "images" / "3.png"
    answer = run.predict([one])[0]
    assert answer.best.startswith(("0: ", "2: ")) and answer.best.count("%") == 2
    (mask,) = run.predictor.masks([one])
    assert mask.shape == (8, 9) and (mask[:, :5] == 1).mean() > 0.9 and not mask[:, 7:].any()
    assert run.predictor.masks([np.zeros((31, 50, 3), np.uint8)])[0].shape == (31, 50)
    assert main(["predict", str(out), str(one)]) == 0
    assert "%" in capsys.readouterr().out
    for data, why in ((folder / "images", "without labels"), (folder / "masks/1.png", "a picture")):
        with pytest.raises(UsageError, match=why):
            run.evaluate(data)


def test_the_page_of_a_run_has_gates_and_classes_over_its_pictures(
    folder: Path, tmp_path: Path
) -> None:
    given = {**SMALL, "gates": True, "steps": 2, "evaluate_every": 1}
    run = regard.train(folder, **given, out=tmp_path / "run", options=QUIET)
    first, last = map(json.loads, (tmp_path / "run" / "samples.jsonl").read_text().splitlines())
    frames = [frame_of(first, sample) for sample in first["samples"]]
    assert all(frame and frame.picture and len(frame.inputs) == 8 * 9 for frame in frames)
    assert frames[0].picture["rows"] == 8 and frames[0].picture["columns"] == 9
    assert all(frame.outputs[0].startswith("gate ") for frame in frames)
    assert all(set(frame.outputs[1:]) <= {"0", "2"} for frame in frames)
    assert not any("picture" in sample for sample in last["samples"])
    (answer,) = run.predict([folder / "images" / "3.png"])
    classes = dict(zip(answer.areas.outputs, answer.areas.weights, strict=True))
    (mask,) = run.predictor.masks([folder / "images" / "3.png"])
    for n, name in enumerate(run.predictor.coder.labels):
        wanted = torch.from_numpy(mask == n).float().flatten()
        assert torch.equal(classes.get(name, torch.zeros(72)), wanted)


def test_the_rows_of_the_table_have_masks() -> None:
    assert all({"image", "mask"} <= row.keys() for row in SCENES)

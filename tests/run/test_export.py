"""Exported networks answer as the networks do, for any length and batch, or it is said why not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from regard.errors import UsageError
from regard.run.export_check import differences
from regard.run.exporting import CLOSE, Exported, export
from regard.run.plain import examples, inputs_of
from tests.tables.tasks import CHARACTERS, ROWS, TaskRow

_BLOCKS = {"embed_dim": 8, "num_heads": 2, "ff_dim": 8, "layers": 2}
_SMALL = {"embed_dim": 4, "dropout": 0.0, "word_dropout": 0.0}
_SENTENCES = {"tokens": CHARACTERS, "sentences": True}
_CLASSIFY = ROWS["classify"]
RECIPES: dict[str, TaskRow] = {
    "lstm": _CLASSIFY,
    "lstm_regressor": ROWS["regress"],
    "dan": replace(_CLASSIFY, network=("dan", _SMALL)),
    "cnn": replace(_CLASSIFY, network=("cnn", _SMALL | {"filters": 3})),
    "han": replace(_CLASSIFY, network=("han", _SMALL | {"hidden_dim": 3}), settings=_SENTENCES),
    "transformer_classifier": replace(_CLASSIFY, network=("transformer_classifier", _BLOCKS)),
    "abcnn": ROWS["match"],
    "memory": ROWS["answer"],
    "din": ROWS["recommend"],
    "youtube_dnn": replace(
        ROWS["recommend"], network=("youtube_dnn", {"embed_dim": 3}), settings={"top_k": 3}
    ),
    "transformer_lm": ROWS["language_model"],
    "rnnsearch": ROWS["translate"],
    "luong": replace(ROWS["translate"], network=("luong", {"embed_dim": 4, "hidden_dim": 5})),
    "transformer": replace(ROWS["translate"], network=("transformer", _BLOCKS)),
    "dates": ROWS["dates"],
    "cifar_resnet20": ROWS["image_classify"],
    "cifar_vit": replace(
        ROWS["image_classify"],
        network=("vit_classifier", {**_BLOCKS, "patch_size": [3, 3]}),
    ),
    "unet": ROWS["segment"],
    "captioner": ROWS["caption"],
    "danet": replace(
        ROWS["segment"], network=("danet", {"shape": "cifar(depth=8, width=4)", "dilated": 1})
    ),
    "ram": replace(
        ROWS["image_classify"],
        network=("ram", {"patch_size": 3, "patches": 2, "glimpses": 3, "embed_dim": 6}),
    ),
}


def model_folder(row: TaskRow, place: Path) -> tuple[Any, Path]:
    """The predictor of a new network of a row, and the folder that it was saved in."""
    predictor = row.made(place / "made").predictor
    folder = place / "run" / "best"
    folder.mkdir(parents=True)
    predictor.save(folder)
    return predictor, folder


def exported(row: TaskRow, form: str, place: Path) -> Exported:
    predictor, folder = model_folder(row, place)
    return export(predictor, folder, form)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["dan", "youtube_dnn", "cifar_resnet20"])
def test_a_program_answers_as_the_network_for_any_length_and_batch(
    recipe: str, tmp_path: Path
) -> None:
    found = exported(RECIPES[recipe], "torch-export", tmp_path)
    assert found.relative is not None and found.relative <= CLOSE and found.compared == 6
    assert found.path == tmp_path / "run" / "export" / "model.pt2"


@pytest.mark.exhaustive
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("form", ["torch-export", "onnx"])
def test_the_network_of_every_recipe_answers_the_same_when_it_is_exported(
    recipe: str, form: str, tmp_path: Path
) -> None:
    if form == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package)
    found = exported(RECIPES[recipe], form, tmp_path)
    assert found.relative is not None and found.relative <= CLOSE, found


@pytest.mark.slow
def test_an_onnx_file_is_used_with_what_stands_beside_it_alone(tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package)
    runtime = pytest.importorskip("onnxruntime")
    predictor, folder = model_folder(RECIPES["dan"], tmp_path)
    out = tmp_path / "there" / "small.onnx"
    assert export(predictor, folder, "onnx", out).is_close
    note = json.loads(Path(f"{out}.json").read_text())
    assert all((out.parent / name).is_file() for name in note["files"])
    ids = torch.tensor([[5, 4, 6, 0]])
    given = {"source": ids.numpy(), "source_lengths": torch.tensor([3]).numpy()}
    assert [each["name"] for each in note["inputs"]] == list(given)
    answer = runtime.InferenceSession(str(out)).run(None, given)[0]
    batch = next(examples(inputs_of(predictor.model, predictor.coder.sizes), None))
    assert len(batch) == 2
    labels = json.loads((out.parent / "small-files/labels.json").read_text())
    assert answer.shape == (1, len(labels))


def test_weights_are_read_again_bit_for_bit(tmp_path: Path) -> None:
    found = exported(RECIPES["lstm"], "safetensors", tmp_path)
    assert found.difference == 0 and (found.path / "model.safetensors").is_file()


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    predictor, folder = model_folder(RECIPES["dan"], tmp_path)
    out = tmp_path / "mine.pt2"
    out.write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.pt2 exists already; remove it"):
        export(predictor, folder, "torch-export", out)
    assert out.read_text() == "mine"
    with pytest.raises(UsageError, match=r"pt2/new\.onnx cannot be written: .*xists"):
        export(predictor, folder, "onnx", out / "new.onnx")


class Draws(nn.Module):
    """A part that draws whenever it is asked."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


class Decides(nn.Module):
    """A part whose work depends on the numbers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if float(x.sum()) > 0 else -x


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Draws(), "DAN draws at random when it answers"),
        (Decides(), r"DAN, part output \(Decides\) cannot be exported to torch-export"),
    ],
)
def test_a_part_that_cannot_be_exported_is_named(
    part: nn.Module, said: str, tmp_path: Path
) -> None:
    predictor, folder = model_folder(RECIPES["dan"], tmp_path)
    predictor.model.output = part
    with pytest.raises(UsageError, match=said) as caught:
        export(predictor, folder, "torch-export")
    assert len(str(caught.value).splitlines()) == 1
    assert not list((folder.parent / "export").iterdir())


def test_a_network_in_its_linear_start_is_not_exported(tmp_path: Path) -> None:
    predictor, folder = model_folder(RECIPES["memory"], tmp_path)
    predictor.model.start_linear(5)
    with pytest.raises(UsageError, match="still in its linear start"):
        export(predictor, folder, "torch-export")


def test_an_argument_without_an_annotation_is_named(tmp_path: Path) -> None:
    class Mine(nn.Module):
        def forward(self, texts):  # type: ignore[no-untyped-def]
            return texts

    with pytest.raises(UsageError, match=r"Mine\.forward takes 'texts', which is neither"):
        inputs_of(Mine(), {"vocab": 9})


def test_what_is_no_number_must_be_so_in_both() -> None:
    nan, inf, one = (torch.tensor([x]) for x in (torch.nan, torch.inf, 1.0))
    assert differences(nan, nan) == differences(inf, inf) == (0.0, 0.0)
    assert differences(nan, one)[0] == differences(one, inf)[0] == torch.inf
    assert differences(torch.ones(2), torch.ones(3))[0] == torch.inf

"""Residual networks are Hugging Face's, in every published kind, and go back to them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regard
from regard.models.resnet import ResNet, cifar
from regard.run.run import Run
from regard.run.training import Options
from tests.models.test_resnet import moved
from tests.parity.hugging_face import loaded, near, random_network, transformers
from tests.pictures import drawn_file

KINDS: dict[int, dict[str, Any]] = {
    18: {"layer_type": "basic", "depths": [2, 2, 2, 2], "hidden_sizes": [4, 8, 16, 32]},
    50: {"layer_type": "bottleneck", "depths": [3, 4, 6, 3], "hidden_sizes": [16, 32, 64, 128]},
}


def theirs_of(depth: int, **changes: Any) -> Any:
    config = transformers.ResNetConfig(**{
        **KINDS[depth], "embedding_size": 4, "num_labels": 3,
        "id2label": {0: "cat", 1: "dog", 2: "cow"}, **changes,
    })  # fmt: skip
    return moved(random_network(transformers.ResNetForImageClassification, config))


@pytest.mark.parametrize("depth", KINDS)
def test_logits_and_gradients_are_theirs_and_so_is_what_is_saved(
    depth: int, tmp_path: Path
) -> None:
    theirs = theirs_of(depth, num_channels=2)
    ours = loaded(theirs, tmp_path / "theirs")
    assert ours.config.shape.depth == depth and ours.config.shape.width == 4
    assert ours.config.labels == ("cat", "dog", "cow")
    images = torch.randn(2, 2, 64, 70)
    wanted, found = theirs(images).logits, ours(images)
    near(found, wanted, "logits")
    wanted.square().mean().backward()
    found.square().mean().backward()
    sums = [sum(p.grad.abs().sum() for p in m.parameters()) for m in (ours, theirs)]
    assert float(sums[0]) == pytest.approx(float(sums[1]), rel=1e-4)
    regard.save(ours, tmp_path / "ours")
    again = transformers.ResNetForImageClassification.from_pretrained(tmp_path / "ours").eval()
    near(again(images).logits, wanted, "logits of what was saved")
    assert again.config.id2label == {0: "cat", 1: "dog", 2: "cow"}


def test_what_they_have_no_words_for_is_kept_in_our_layout(tmp_path: Path) -> None:
    for number, config in enumerate((cifar(8), cifar(8, block="se"))):
        model = ResNet(config).eval()
        regard.save(model, tmp_path / str(number))
        again = regard.load(tmp_path / str(number))
        assert again.config == config
        images = torch.randn(1, 3, 9, 9)
        assert torch.equal(again(images), model(images))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"depths": [1, 1, 1, 1]}, "which are of no published depth"),
        ({"hidden_sizes": [4, 8, 16, 31]}, "which are of no published depth"),
        ({"hidden_act": "gelu"}, "its hidden_act is 'gelu', which is not computed here"),
        ({"downsample_in_first_stage": True}, "downsample_in_first_stage is True"),
    ],
)
def test_what_is_not_computed_here_is_refused(
    changes: dict[str, Any], why: str, tmp_path: Path
) -> None:
    theirs_of(18, **changes).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=why):
        regard.load(tmp_path)


def test_a_folder_is_asked_as_it_is_and_fine_tuned(tmp_path: Path) -> None:
    theirs = theirs_of(18)
    theirs.save_pretrained(tmp_path / "theirs")
    said = {"size": {"shortest_edge": 48}, "crop_pct": 0.75, "image_mean": [0.5] * 3}
    (tmp_path / "theirs/preprocessor_config.json").write_text(json.dumps(said))
    run = Run(tmp_path / "theirs")
    coder: Any = run.predictor.coder
    assert (coder.size, coder.short_side, coder.labels) == (48, 64, ("cat", "dog", "cow"))
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    read = torch.tensor(picture[8:56, 8:56]).permute(2, 0, 1).float() / 255 * 2 - 1
    wanted = theirs(read[None]).logits[0].log_softmax(-1).tolist()
    (answer,) = run.predict([picture], 3)
    assert dict(answer.answers) == pytest.approx(
        dict(zip(coder.labels, wanted, strict=True)), abs=1e-4
    )
    for number in range(20):
        drawn_file((9 * number, 9, 9), path=tmp_path / f"data/{'ab'[number % 2]}/{number}.png")
    tuned = regard.train(
        tmp_path / "data", start=tmp_path / "theirs", steps=1, out=tmp_path / "run",
        options=Options(progress=False),
    )  # fmt: skip
    assert tuned.model.config.classes == 2 and tuned.predictor.coder.size == 48
    mine = tuned.model.state_dict()["stem.conv.weight"]
    stem = theirs.resnet.embedder.embedder.convolution.weight
    assert (mine - stem).abs().max() < 1e-3

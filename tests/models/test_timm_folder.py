"""Folders of timm's residual networks: loaded by their name, asked about pictures, or refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import regard
from regard.errors import CheckpointMismatch
from regard.models.published import configuration
from regard.models.resnet import ResNet, ResNetConfig, imagenet, to_torchvision
from regard.models.resnet.config import ImageNet
from regard.models.resnet.timm import FAMILY, IMPLIED
from regard.tasks.colors import published_colors, published_sizes
from tests.models.test_resnet import Torchvision, moved
from tests.pictures import drawn_file

CONFIG = {
    "architecture": "resnet18",
    "num_classes": 3,
    "num_features": 512,
    "pretrained_cfg": {
        "tag": "a1_in1k",
        "input_size": [3, 224, 224],
        "crop_pct": 0.875,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "num_classes": 1000,
        "first_conv": "conv1",
        "classifier": "fc",
    },
}


def put(folder: Path, tensors: Mapping[str, Tensor], **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    said = {key: value for key, value in {**CONFIG, **changes}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(said))
    save_file({n: t.contiguous() for n, t in tensors.items()}, folder / "model.safetensors")
    return folder


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """timm's network of 18 layers, 16 times narrower."""
    shape = {"kind": "imagenet", "depth": 18, "width": 4}
    monkeypatch.setitem(IMPLIED["resnet18"], "shape", shape)
    return moved(Torchvision((2, 2, 2, 2), False, 4, 3)).eval()


@pytest.mark.parametrize("prefix", ["", "timm_model.", "module."])
def test_a_folder_gives_the_networks_outputs(theirs: Any, prefix: str, tmp_path: Path) -> None:
    tensors = {f"{prefix}{name}": tensor for name, tensor in theirs.state_dict().items()}
    names = {"label_names": ["n1", "n2", "n3"], "label_descriptions": {"n1": "cat", "n2": "cat"}}
    wrapper = {"model_type": "timm_wrapper"} if prefix == "timm_model." else {}
    folder = put(tmp_path / "x", tensors, architecture="resnet18.a1_in1k", **names, **wrapper)
    if prefix == "module.":
        with pytest.warns(UserWarning, match=r": module.\S+ is read as \S+, and all"):
            ours = regard.load(folder)
    else:
        ours = regard.load(folder)
    images = torch.randn(1, 3, 64, 75)
    assert ours.config == ResNetConfig(
        classes=3, labels=("n1", "n2", "n3"), shape=ImageNet(depth=18, width=4)
    )
    torch.testing.assert_close(ours(images), theirs(images))


def test_a_picture_is_prepared_as_it_says(theirs: Any, tmp_path: Path) -> None:
    folder = put(tmp_path / "x", theirs.state_dict(), label_names=["cat", "dog", "cow"])
    assert published_colors(folder).mean == (0.485, 0.456, 0.406)
    assert published_sizes(folder, regard.load(folder).config) == (224, 256)
    (answer,) = regard.Run(folder).predict([str(drawn_file((200, 9, 9), (300, 260)))])
    assert answer.answers[0][0] in ("cat", "dog", "cow")


@pytest.mark.parametrize("name", [name for name in IMPLIED if "50" in name or "18" in name])
def test_other_kinds_are_told_by_their_names(name: str, tmp_path: Path) -> None:
    wanted = {
        "resnet18": imagenet(18, classes=2),
        "seresnet18": imagenet(18, classes=2, block="se(reduction=16, at_least=8)"),
        "resnet50": imagenet(50, classes=2),
        "seresnet50": imagenet(50, classes=2, block="se(reduction=16)"),
        "resnet50s": ResNetConfig(classes=2, shape=ImageNet(depth=50, stem="deep")),
    }[name]
    folder = put(tmp_path / "x", {}, architecture=name, num_classes=2)
    assert configuration(folder) == wanted
    with torch.device("meta"):
        theirs = to_torchvision(ResNet(wanted))
    known = {each for rule in FAMILY.rules(wanted, "") for each in rule.theirs}
    assert known == {each for each in theirs if not each.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"architecture": "resnet50d.ra2_in1k"},
            "architecture 'resnet50d' is not computed here: its stem or shortcuts are others",
        ),
        ({"architecture": "legacy_seresnet18"}, "no padding, a ReLU stands in front of each gate;"),
        ({"architecture": "legacy_seresnet50"}, "no padding, its strides or shortcuts are others;"),
        ({"architecture": "ecaresnet50t"}, "efficient channel attention, its stem or"),
        ({"architecture": "skresnet18.ra_in1k"}, "its convolutions are timm's own selective"),
        ({"architecture": "gcresnet50t"}, "its gates are those of global context, its stem"),
        ({"architecture": "resnest50d"}, "its convolutions split attention, its stem"),
        ({"architecture": "resnext50_32x4d"}, "its convolutions are in groups;"),
        ({"architecture": "wide_resnet50_2"}, "its bottlenecks are wider;"),
        ({"architecture": "vit_tiny_patch16_224"}, "architecture 'vit_tiny.*' is not known"),
        ({"global_pool": "max"}, "global_pool is 'max', .* it must be 'avg'"),
        ({"model_args": {"act_layer": "silu"}}, "its model_args say act_layer"),
        ({"pretrained_cfg": [1]}, r"its pretrained_cfg is \[1\], and no table"),
    ],
)
def test_what_is_not_known_is_named(changes: Any, why: str, tmp_path: Path) -> None:
    folder = put(tmp_path / "x", {"conv1.weight": torch.zeros(1)}, **changes)
    with pytest.raises(ValueError, match=why) as caught:
        regard.load(folder)
    assert str(folder / "config.json") in str(caught.value)


def test_tensors_of_another_network_are_all_named(theirs: Any, tmp_path: Path) -> None:
    tensors = dict(theirs.state_dict())
    del tensors["bn1.bias"]
    folder = put(tmp_path / "x", tensors | {"head.weight": torch.zeros(1)}, num_classes=4)
    with pytest.raises(CheckpointMismatch) as caught:
        regard.load(folder)
    assert caught.value.missing == ["bn1.bias"] and caught.value.unexpected == ["head.weight"]
    assert caught.value.wrong_shaped.keys() == {"fc.weight", "fc.bias"}

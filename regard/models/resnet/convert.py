"""Residual networks in the words of torchvision and timm, which are alike, and Hugging Face."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regard._spelling import parse
from regard.models.config_words import CountOfLabels, Word
from regard.models.family import Family
from regard.models.resnet.config import STAGES, Cifar, ImageNet, ResNetConfig
from regard.models.resnet.model import ResNet
from regard.models.resnet.stages import is_deep
from regard.models.tensor_rules import Reshaped, Rule, fill, same, theirs_of, told_by
from regard.vision import block

SIGNS = ("bn1.weight", "layer1.0.conv1.weight", "layer2.0.conv1.weight", "fc.weight")
"""Names that tell where in a checkpoint the tensors of a residual network are."""
NORM = ("weight", "bias", "running_mean", "running_var")
COUNT = "num_batches_tracked"
"""What files have beside these, and what no number depends on."""


def rules(config: ResNetConfig) -> list[Rule]:
    """Which tensor of theirs is which of ours, in the order of the network."""
    found = backbone_rules(config.shape, config)
    return [*found, *same("output", "fc")]


def backbone_rules(shape: Cifar | ImageNet, config: ResNetConfig | None = None) -> list[Rule]:
    """The same for the stem and the stages, whose blocks are those of a configuration, if any."""
    found = _conv_norm("stem", "conv1", "bn1")
    if is_deep(shape):
        norms = "conv1.1", "conv1.4", "bn1"
        found = [
            rule
            for number, norm in enumerate(norms)
            for rule in _conv_norm(f"stem.layers.{number}", f"conv1.{3 * number}", norm)
        ]
    for stage, count in enumerate(shape.blocks):
        for number in range(count):
            mine, theirs = f"stages.{stage}.blocks.{number}", f"layer{stage + 1}.{number}"
            for layer in range(3 if shape.bottleneck else 2):
                names = f"{theirs}.conv{layer + 1}", f"{theirs}.bn{layer + 1}"
                found += _conv_norm(f"{mine}.layers.{layer}", *names)
            found += _gates(config, mine, theirs, stage) if config else []
            if shape.shortcut == "projection" and number == 0 and (stage or shape.bottleneck):
                names = f"{theirs}.downsample.0", f"{theirs}.downsample.1"
                found += _conv_norm(f"{mine}.shortcut", *names)
    return found


def from_torchvision(tensors: Mapping[str, Any], config: ResNetConfig | None = None) -> ResNet:
    """The network that a state dictionary of torchvision's or timm's `resnet*` is, for evaluation.

    What a wrapped network or a trainer put around them is taken off with a warning.

    Args:
        tensors: a state dictionary, or a checkpoint that contains one.
        config: what it is; told by the tensors if None, timm's `seresnet*` among them.

    Raises `CheckpointMismatch`, a `ValueError`, naming what is missing, left over or of another
    shape, and `ValueError` for a checkpoint that has several sets of weights.

    >>> from regard.models.resnet import imagenet
    >>> model = ResNet(imagenet(18, classes=2)).eval()
    >>> again = from_torchvision(to_torchvision(model))
    >>> again.config == model.config
    True
    """
    tensors = told_by(tensors, SIGNS)
    model = ResNet(config_of(tensors) if config is None else config)
    return fill(model, rules(model.config), tensors, (COUNT,))


def to_torchvision(model: ResNet) -> dict[str, Tensor]:
    """The state dictionary of a network by torchvision's names.

    Raises `ValueError` for a network with a block that they have no names for.
    """
    return with_counts(theirs_of(model, rules(model.config)))


def with_counts(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same with a count of batches for each norm, which their networks have."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        found[name] = tensor
        if name.endswith(NORM[-1]):
            found[name.replace(NORM[-1], COUNT)] = torch.tensor(0)
    return found


def config_of(tensors: Mapping[str, Tensor]) -> ResNetConfig:
    """The network that tensors of these names and shapes are.

    Raises `ValueError` where they are of no published shape.
    """
    first = tensors.get("conv1.weight", tensors.get("conv1.0.weight"))
    shape = shape_of(tensors)
    if shape is None or first is None or "fc.weight" not in tensors:
        said = ", ".join(list(tensors)[:5]) or "nothing"
        counts = _blocks(tensors, "layer{stage}.{block}.conv1.weight")
        raise ValueError(
            f"these tensors are of no residual network that is known, with stages of {counts} "
            f"blocks; there is {said}"
        )
    squeezed = [tensors.get(f"layer{stage}.0.se.fc1.weight") for stage in (1, len(shape.blocks))]
    return ResNetConfig(
        channels=first.shape[1],
        classes=tensors["fc.weight"].shape[0],
        shape=shape,
        block=_gate_of(*(tuple(each.shape) for each in squeezed if each is not None)),
    )


def _gate_of(first: tuple[int, ...] = (), last: tuple[int, ...] = ()) -> str | None:
    """The gates whose first layers have these shapes in the first stage and the last one."""
    if not first or not last:
        return None
    reduction = max(1, last[1] // last[0])
    # timm has eight units where fewer would be left of the channels.
    least = "" if first[0] == max(1, first[1] // reduction) else f", at_least={first[0]}"
    return f"se(reduction={reduction}{least})"


def shape_of(
    tensors: Mapping[str, Tensor],
    layer: str = "layer{stage}.{block}.conv{layer}.weight",
    stems: tuple[str, str] = ("conv1.weight", "conv1.0.weight"),
) -> ImageNet | None:
    """The published shape of the stages that tensors are of, None for another.

    Args:
        layer: how the weight of a convolution in a block is called.
        stems: how that of the first one is, in a plain stem and in a deep one.
    """
    counts = tuple(_blocks(tensors, layer.replace("{layer}", "1")))
    third = layer.replace("{layer}", "3").format(stage=1, block=0, unit=1)
    depth = next((n for n, blocks in STAGES.items() if blocks == (counts, third in tensors)), None)
    stem = next((n for n, name in enumerate(stems) if name in tensors), None)
    if depth is None or stem is None:
        return None
    width = tensors[stems[stem]].shape[0]
    return ImageNet(depth=depth, width=width, stem="deep" if stem else "plain")


def _blocks(tensors: Mapping[str, Tensor], layer: str) -> list[int]:
    """How many blocks each stage has."""

    def is_there(stage: int, block: int) -> bool:
        return layer.format(stage=stage, block=block, unit=block + 1) in tensors

    counts: list[int] = []
    while is_there(len(counts) + 1, 0):
        block = 1
        while is_there(len(counts) + 1, block):
            block += 1
        counts.append(block)
    return counts


def _conv_norm(mine: str, conv: str, norm: str) -> list[Rule]:
    return [*same(f"{mine}.conv", conv, "weight"), *same(f"{mine}.norm", norm, *NORM)]


def _gates(config: ResNetConfig, mine: str, theirs: str, stage: int) -> list[Rule]:
    """Timm's names of squeeze-and-excitation, whose layers are convolutions of one place there."""
    if config.block is None:
        return []
    if parse(config.block).name != "se":
        raise ValueError(
            f"torchvision and timm have no names for the block {config.block}; save the network "
            "with regard.save"
        )
    wide = config.shape.width * 2**stage * (4 if config.shape.bottleneck else 1)
    hidden = block(config.block, wide).squeeze.out_features
    found: list[Rule] = []
    for layer, name, shape in (
        ("squeeze", "fc1", (hidden, wide)),
        ("excite", "fc2", (wide, hidden)),
    ):
        reshaped = Reshaped(shape, (*shape, 1, 1))
        ours, their = f"{mine}.attention.{layer}", f"{theirs}.se.{name}"
        found.append(Rule(f"{ours}.weight", (f"{their}.weight",), reshaped))
        found += same(ours, their, "bias")
    return found


@dataclass(frozen=True)
class Published(Word):
    """One of the options that say the shape together: depth, width and kind of the blocks."""

    ours: str = "shape"
    usual: Any = None

    def read(self, entries: Mapping[str, Any]) -> Any:
        """The shape; raises `ValueError` for one that is not published."""
        deep = entries.get("layer_type", "bottleneck") == "bottleneck"
        depths = tuple(entries.get("depths", (3, 4, 6, 3)))
        width = entries.get("embedding_size", 64)
        sizes = list(entries.get("hidden_sizes", (256, 512, 1024, 2048)))
        wanted = [width * 2**n * (4 if deep else 1) for n in range(len(depths))]
        depth = next((n for n, shape in STAGES.items() if shape == (depths, deep)), None)
        if depth is None or sizes != wanted:
            raise ValueError(
                f"its depths are {[*depths]} and its hidden_sizes {sizes}, which are of no "
                f"published depth ({', '.join(map(str, STAGES))})"
            )
        return {"kind": ImageNet.tag, "depth": depth, "width": width}

    def written(self, value: Any) -> Any:
        """Their option."""
        wider = 4 if value.bottleneck else 1
        return {
            "depths": list(value.blocks),
            "embedding_size": value.width,
            "hidden_sizes": [value.width * 2**n * wider for n in range(len(value.blocks))],
            "layer_type": "bottleneck" if value.bottleneck else "basic",
        }[self.theirs]

    def says(self, value: Any) -> bool:
        """Whether they have words for it."""
        return isinstance(value, ImageNet) and not is_deep(value)


def their_rules(config: ResNetConfig, prefix: str) -> list[Rule]:
    """Hugging Face's tensors; there is no body without a head here, and so always a prefix."""

    def named(mine: str, theirs: str) -> list[Rule]:
        return _conv_norm(mine, f"{theirs}.convolution", f"{theirs}.normalization")

    found = named("stem", "resnet.embedder.embedder")
    for stage, count in enumerate(config.shape.blocks):
        for number in range(count):
            mine = f"stages.{stage}.blocks.{number}"
            theirs = f"resnet.encoder.stages.{stage}.layers.{number}"
            for layer in range(3 if config.shape.bottleneck else 2):
                found += named(f"{mine}.layers.{layer}", f"{theirs}.layer.{layer}")
            if number == 0 and (stage or config.shape.bottleneck):
                found += named(f"{mine}.shortcut", f"{theirs}.shortcut")
    return [*found, *same("output", "classifier.1")]


FAMILY = Family(
    model_type="resnet",
    networks={"ResNetForImageClassification": "resnet"},
    words=(
        Word("num_channels", "channels", 3),
        *(Published(name) for name in ("depths", "embedding_size", "hidden_sizes", "layer_type")),
    ),
    head_words={"resnet": (CountOfLabels(),)},
    rules=their_rules,
    prefix="resnet.",
    heads=("classifier.",),
    dropped=(COUNT,),
    only={
        "hidden_act": ["relu"],
        "downsample_in_first_stage": [False],
        "downsample_in_bottleneck": [False],
    },
    ignored=frozenset({"stage_names", "out_features", "out_indices"}),
)

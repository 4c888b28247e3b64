"""DANet's tensors by the names of pytorchcv's network and of the authors' own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from regard._nearest import nearest
from regard._printable import shown
from regard.models.danet.config import DANetConfig
from regard.models.danet.model import DANet
from regard.models.resnet.config import ImageNet
from regard.models.resnet.convert import COUNT, NORM, backbone_rules, shape_of, with_counts
from regard.models.resnet.stages import is_deep
from regard.models.tensor_rules import Reshaped, Rule, fill, same, theirs_of, told_by
from regard.vision import DualPositionAttention

Names = Literal["pytorchcv", "authors"]


@dataclass(frozen=True)
class WithKeyBias:
    """Theirs is a 1 × 1 convolution with a bias that softmax over keys cancels; ours has none.

    Args:
        ours: our shape.
    """

    ours: tuple[int, ...]

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """The weight alone."""
        return theirs[0].reshape(self.ours)

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """The weight, and zeros."""
        return [ours.reshape(*self.ours, 1, 1), torch.zeros_like(ours[:, 0])]


def from_published(tensors: Mapping[str, Any], config: DANetConfig | None = None) -> DANet:
    """The network that a state dictionary of pytorchcv's DANet or of the authors' is.

    It is for evaluation, and upsamples with aligned corners, as they do. The bias of the keys is
    left out: it adds one number to all scores of a query, which softmax forgets.

    Args:
        tensors: a state dictionary, or a checkpoint that contains one, which is unwrapped with a
            warning.
        config: what it is; told by the tensors if None. They do not tell `grid`: the authors'
            networks for Cityscapes were trained with `(4, 8, 16)`.

    Raises `CheckpointMismatch`, a `ValueError`, naming what is missing, left over or of another
    shape, and `ValueError` for names of another network.

    >>> from regard.models.resnet import ImageNet
    >>> shape = ImageNet(depth=50, width=2, stem="deep")
    >>> model = DANet(DANetConfig(classes=3, shape=shape, align_corners=True)).eval()
    >>> again = from_published(to_published(model, "authors"))
    >>> again.config == model.config
    True
    """
    signs = [name for layout in LAYOUTS.values() for name in layout.signs]
    tensors = told_by(tensors, signs)
    layout = next((each for each in LAYOUTS.values() if each.signs[0] in tensors), None)
    found = None if layout is None else shape_of(tensors, layout.layer, layout.stems)
    classes = None if layout is None else tensors.get(f"{layout.output}.weight")
    if layout is None or found is None or classes is None:
        said = ", ".join(list(tensors)[:5]) or "nothing"
        raise ValueError(
            f"these tensors are of no DANet that is known (pytorchcv's or its authors'); there is "
            f"{said}"
        )
    if config is None:
        channels = tensors[layout.stems[is_deep(found)]].shape[1]
        config = DANetConfig(
            channels=channels, classes=classes.shape[0], shape=found, align_corners=True
        )
    model = DANet(config)
    return fill(model, layout.rules(model), tensors, (COUNT, "pretrained.fc."))


def to_published(model: DANet, names: Names = "pytorchcv") -> dict[str, Tensor]:
    """The state dictionary of a network by the names of pytorchcv's or the authors'.

    Raises `ValueError` for a network without one of the branches' attentions, or whose backbone is
    for small images, which they do not have.
    """
    if names not in LAYOUTS:
        raise ValueError(f"names {shown(names)} are not known; {nearest(str(names), LAYOUTS)}")
    config = model.config
    if not (config.position and config.channel and isinstance(config.shape, ImageNet)):
        raise ValueError(
            "published networks have both attentions and a backbone for 224 × 224 images; save "
            "this one with regard.save"
        )
    return with_counts(theirs_of(model, LAYOUTS[names].rules(model)))


def _head(model: DANet, layout: "Layout") -> list[Rule]:
    """The rules of both branches and of the classifiers."""
    wide, position = model.config.head_width, model.position.attention
    assert isinstance(position, DualPositionAttention), "published networks have both attentions"
    found: list[Rule] = []
    for branch in ("position", "channel"):
        for mine in ("before", "behind"):
            conv, norm = layout.layers[branch, mine]
            found += same(f"{branch}.{mine}.conv", conv, "weight")
            found += same(f"{branch}.{mine}.norm", norm, *NORM)
    hidden, place = position.query.out_features, layout.position
    for ours, theirs, width in (("query", "query_conv", hidden), ("value", "value_conv", wide)):
        reshaped = Reshaped((width, wide), (width, wide, 1, 1))
        mine, other = f"position.attention.{ours}", f"{place}.{theirs}"
        found += [
            Rule(f"{mine}.weight", (f"{other}.weight",), reshaped),
            *same(mine, other, "bias"),
        ]
    key = (f"{place}.key_conv.weight", f"{place}.key_conv.bias")
    found.append(Rule("position.attention.key.weight", key, WithKeyBias((hidden, wide))))
    for mine, theirs in zip(("position.attention.alpha", "channel.attention.beta"), layout.shares,
                            strict=True):  # fmt: skip
        found.append(Rule(mine, (theirs,), Reshaped((), (1,))))
    outputs = ("output", "position_output", "channel_output")
    for mine, theirs in zip(outputs, (layout.output, *layout.others), strict=True):
        found += same(mine, theirs)
    return found


def _pytorchcv_backbone(shape: ImageNet) -> list[Rule]:
    return [
        replace(rule, theirs=tuple(_as_pytorchcv(name, is_deep(shape)) for name in rule.theirs))
        for rule in backbone_rules(shape)
    ]


def _as_pytorchcv(name: str, deep: bool) -> str:
    """A name of torchvision's as pytorchcv's."""
    parts = name.split(".")
    leaf = parts[-1]
    if not parts[0].startswith("layer"):
        if not deep:
            return f"backbone.0.conv.{'bn' if parts[0] == 'bn1' else 'conv'}.{leaf}"
        # conv1.0 and conv1.1 to conv1.6, then bn1: each convolution with its norm.
        number = int(parts[1]) if parts[0] == "conv1" else 7
        return f"backbone.0.conv{number // 3 + 1}.{('conv', 'bn')[number % 3]}.{leaf}"
    unit = f"backbone.{parts[0].removeprefix('layer')}.unit{int(parts[1]) + 1}"
    if parts[2] == "downsample":
        return f"{unit}.identity_conv.{('conv', 'bn')[int(parts[3])]}.{leaf}"
    return f"{unit}.body.conv{parts[2][-1]}.{parts[2][:-1]}.{leaf}"


def _authors_backbone(shape: ImageNet) -> list[Rule]:
    return [
        replace(rule, theirs=tuple(f"pretrained.{name}" for name in rule.theirs))
        for rule in backbone_rules(shape)
    ]


@dataclass(frozen=True)
class Layout:
    """How a library calls the tensors of a DANet.

    Args:
        signs: names that no other network has.
        backbone: the rules of the stem and the stages.
        layer: how a convolution in a block is called (see `shape_of`).
        stems: how the first one is, in a plain stem and in a deep one.
        layers: of the head: branch and place of ours → convolution and norm.
        position: the position attention.
        shares: the weights of the position attention and of the channel attention.
        output: the classifier of the sum.
        others: those of the branches.
    """

    signs: tuple[str, ...]
    backbone: Callable[[Any], list[Rule]]
    layer: str
    stems: tuple[str, str]
    layers: Mapping[tuple[str, str], tuple[str, str]]
    position: str
    shares: tuple[str, str]
    output: str
    others: tuple[str, str]

    def rules(self, model: DANet) -> list[Rule]:
        """Which tensor of theirs is which of ours."""
        return [
            *(
                replace(rule, ours=f"backbone.{rule.ours}")
                for rule in self.backbone(model.config.shape)
            ),
            *_head(model, self),
        ]


_BRANCHES = {"position": "head.branch_pa", "channel": "head.branch_ca"}

LAYOUTS = {
    "pytorchcv": Layout(
        signs=("head.branch_pa.conv1.conv.weight", "head.branch_ca.conv1.conv.weight"),
        backbone=_pytorchcv_backbone,
        layer="backbone.{stage}.unit{unit}.body.conv{layer}.conv.weight",
        stems=("backbone.0.conv.conv.weight", "backbone.0.conv1.conv.weight"),
        layers={
            (branch, mine): (f"{name}.{theirs}.conv", f"{name}.{theirs}.bn")
            for branch, name in _BRANCHES.items()
            for mine, theirs in (("before", "conv1"), ("behind", "conv2"))
        },
        position="head.branch_pa.att",
        shares=("head.branch_pa.att.scale.alpha", "head.branch_ca.att.scale.alpha"),
        output="head.conv",
        others=("head.branch_pa.conv3", "head.branch_ca.conv3"),
    ),
    "authors": Layout(
        signs=("head.conv5a.0.weight", "head.conv5c.0.weight"),
        backbone=_authors_backbone,
        layer="pretrained.layer{stage}.{block}.conv{layer}.weight",
        stems=("pretrained.conv1.weight", "pretrained.conv1.0.weight"),
        layers={
            ("position", "before"): ("head.conv5a.0", "head.conv5a.1"),
            ("channel", "before"): ("head.conv5c.0", "head.conv5c.1"),
            ("position", "behind"): ("head.conv51.0", "head.conv51.1"),
            ("channel", "behind"): ("head.conv52.0", "head.conv52.1"),
        },
        position="head.sa",
        shares=("head.sa.gamma", "head.sc.gamma"),
        output="head.conv8.1",
        others=("head.conv6.1", "head.conv7.1"),
    ),
}
"""The published layouts."""

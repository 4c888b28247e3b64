"""Gates are those of pytorchcv, mmcv and timm, output and every gradient."""

import pytest
import torch

from regard.vision import (
    BottleneckAttention,
    CBAMChannel,
    ConvolutionalBlockAttention,
    EfficientChannelAttention,
    GlobalContext,
    SelectiveKernel,
    SplitAttention,
    SqueezeExcitation,
)
from tests.peers.peer import assert_same, module_of, timm_layer

SIZES = pytest.mark.parametrize("places", [(7, 5), (8, 8), (1, 1)])


@SIZES
def test_se_is_that_of_pytorchcv(places: tuple[int, int]) -> None:
    theirs = module_of("pytorchcv.models.common.att").SEBlock(32)
    names = {"conv1": "squeeze", "conv2": "excite"}
    assert_same(SqueezeExcitation(32), theirs, names, torch.randn(3, 32, *places))


@SIZES
def test_cbam_is_that_of_pytorchcv(places: tuple[int, int]) -> None:
    theirs = module_of("pytorchcv.models.cbamresnet").CbamBlock(32)
    theirs.sp_gate.conv.bn.momentum = 0.01  # the authors', which pytorchcv has no need of
    names = {
        "ch_gate.mlp.fc1": "channel.squeeze",
        "ch_gate.mlp.fc2": "channel.excite",
        "sp_gate.conv.conv": "spatial.convolution",
        "sp_gate.conv.bn": "spatial.norm",
    }
    assert_same(ConvolutionalBlockAttention(32), theirs, names, torch.randn(3, 32, *places))


@SIZES
def test_bam_is_that_of_pytorchcv(places: tuple[int, int]) -> None:
    theirs = module_of("pytorchcv.models.bamresnet").BamBlock(32)
    names = {
        "ch_att.init_fc.fc": "of_channels.0",
        "ch_att.init_fc.bn": "of_channels.1",
        "ch_att.final_fc": "of_channels.3",
        "sp_att.init_conv.conv": "of_places.0",
        "sp_att.init_conv.bn": "of_places.1",
        "sp_att.dil_convs.conv1.conv": "of_places.3",
        "sp_att.dil_convs.conv1.bn": "of_places.4",
        "sp_att.dil_convs.conv2.conv": "of_places.6",
        "sp_att.dil_convs.conv2.bn": "of_places.7",
        "sp_att.final_conv": "of_places.9",
    }
    assert_same(BottleneckAttention(32), theirs, names, torch.randn(3, 32, *places))


@SIZES
def test_sk_is_that_of_pytorchcv(places: tuple[int, int]) -> None:
    theirs = module_of("pytorchcv.models.sknet").SKConvBlock(32, 32, stride=1)
    names = {"fc1.conv": "squeeze", "fc1.bn": "norm", "fc2": "select"}
    for i in (0, 1):
        names |= {f"branches.branch{i + 2}.{n}": f"kernels.{i}.{m}" for n, m in _LAYERS.items()}
    assert_same(SelectiveKernel(32), theirs, names, torch.randn(3, 32, *places))


@SIZES
def test_split_attention_is_that_of_pytorchcv(places: tuple[int, int]) -> None:
    kind = module_of("pytorchcv.models.common.att").SAConvBlock
    theirs = kind(32, 32, kernel_size=3, stride=1, padding=1)
    names = {"att.conv1": "squeeze", "att.bn": "norm", "att.conv2": "select"}
    names |= {f"conv.{n}": f"splits.{m}" for n, m in _LAYERS.items()}
    assert_same(SplitAttention(32), theirs, names, torch.randn(3, 32, *places))


@SIZES
@pytest.mark.parametrize(("radix", "groups"), [(1, 1), (2, 2), (4, 2)])
def test_split_attention_in_groups_is_that_of_timm(
    places: tuple[int, int], radix: int, groups: int
) -> None:
    kind, norm = timm_layer("split_attn").SplitAttn, torch.nn.BatchNorm2d
    theirs = kind(32, groups=groups, radix=radix, norm_layer=norm)
    names = {"conv": "splits.0", "bn0": "splits.1"}
    names |= {"fc1": "squeeze", "bn1": "norm", "fc2": "select"}
    ours = SplitAttention(32, radix, groups)
    assert_same(ours, theirs, names, torch.randn(3, 32, *places))


_LAYERS = {"conv": "0", "bn": "1"}


@SIZES
@pytest.mark.parametrize(
    ("fusion", "types"),
    [
        ("add", ("channel_add",)),
        ("scale", ("channel_mul",)),
        ("both", ("channel_add", "channel_mul")),
    ],
)
def test_gc_is_that_of_mmcv(places: tuple[int, int], fusion: str, types: tuple[str, ...]) -> None:
    theirs = module_of("mmcv.cnn").ContextBlock(32, ratio=1 / 4, fusion_types=types)
    # Their bias of the scores is left as it is: a softmax takes it away.
    names = {"conv_mask": "score"}
    for kind, name in (("add", "added"), ("mul", "scaled")):
        if f"channel_{kind}" in types:
            names |= {f"channel_{kind}_conv.{i}": f"{name}.{i}" for i in (0, 1, 3)}
    assert_same(GlobalContext(32, 4, fusion), theirs, names, torch.randn(3, 32, *places))


@SIZES
@pytest.mark.parametrize("channels", [8, 64, 128, 2048])
def test_eca_is_that_of_timm(places: tuple[int, int], channels: int) -> None:
    theirs = timm_layer("eca").EcaModule(channels)
    ours = EfficientChannelAttention(channels)
    assert_same(ours, theirs, {"conv": "convolution"}, torch.randn(2, channels, *places))


@SIZES
def test_the_channels_of_cbam_are_those_of_timm(places: tuple[int, int]) -> None:
    theirs = timm_layer("cbam").ChannelAttn(32, mlp_bias=True)
    names = {"fc1": "squeeze", "fc2": "excite"}
    assert_same(CBAMChannel(32), theirs, names, torch.randn(3, 32, *places))

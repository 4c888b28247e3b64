"""Fusing a convolution with its batch norm: the same numbers, or an error; never silence."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import regard
from regard.vision import Plan
from tests.vision.networks import Basic, image, settled

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
SE = "se(reduction=2)"


class Plain(nn.Module):
    """Convolution, batch norm, activation, twice; the norms are asked for by name."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.act1 = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
        )
        self.conv2, self.bn2, self.act2 = (
            nn.Conv2d(8, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.bn1(self.conv1(x)))
        return self.act2(self.bn2(self.conv2(x)))


class Inner(nn.Module):
    """The same as a part of a network."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Plain()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def by_hand(model: nn.Module) -> nn.Module:
    body = model.body
    body.conv2, body.bn2 = fuse_conv_bn_eval(body.conv2, body.bn2), nn.Identity()
    return model


def in_place(model: nn.Module) -> nn.Module:
    """As Ultralytics fuses: weights are exchanged, the norm is deleted, `forward` is replaced."""
    body = model.body
    fused = fuse_conv_bn_eval(copy.deepcopy(body.conv2), body.bn2)
    body.conv2.weight, body.conv2.bias = fused.weight, fused.bias
    del body.bn2
    body.forward = lambda x: body.act2(body.conv2(body.act1(body.bn1(body.conv1(x)))))
    return model


def by_torch(model: nn.Module) -> nn.Module:
    return torch.ao.quantization.fuse_modules(model, [["body.conv2", "body.bn2"]])


def by_torch_with_relu(model: nn.Module) -> nn.Module:
    return torch.ao.quantization.fuse_modules(model, [["body.conv2", "body.bn2", "body.act2"]])


def for_training(model: nn.Module) -> nn.Module:
    pairs = [["body.conv2", "body.bn2"]]
    return torch.ao.quantization.fuse_modules_qat(model.train(), pairs).eval()


def by_graph(model: nn.Module) -> nn.Module:
    from torch.fx.experimental.optimization import fuse

    return fuse(model)


WAYS = [by_hand, in_place, by_torch, by_torch_with_relu, for_training]


@pytest.mark.parametrize("fuse", WAYS)
@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize(
    "place", ["body.conv1", "body.bn1", "body.act1", "body.conv2", "body.bn2", "body.act2"]
)
def test_fusing_keeps_the_numbers_or_is_an_error_and_removing_mends_it(
    place: str, side: str, fuse: Callable[[nn.Module], nn.Module]
) -> None:
    torch.manual_seed(0)
    model, x = settled(Inner()), image(16)
    plain = model(x)
    regard.insert(model, SE, **{side: place})
    wanted = model(x)
    assert not torch.allclose(wanted, plain)
    fused = fuse(copy.deepcopy(model))
    try:
        torch.testing.assert_close(fused(x), wanted)
    except RuntimeError as error:
        assert "regard.remove(model) before" in str(error) and "\n" not in str(error)
        regard.remove(fused)
        torch.testing.assert_close(fused(x), plain)
        assert place.endswith("2") and not Plan.of(fused).places
    else:
        between = {("body.conv2", "after"), ("body.bn2", "before"), ("body.bn2", "after")}
        assert (place, side) not in between


def test_what_is_fused_within_the_module_at_a_place_works() -> None:
    model, x = settled(Inner()), image(16)
    regard.insert(model, SE, after="body")
    wanted = model(x)
    for fuse in WAYS:
        torch.testing.assert_close(fuse(copy.deepcopy(model))(x), wanted)


@pytest.mark.parametrize("around", [True, False], ids=["within a network", "at the top"])
@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize("place", ["conv1", "bn1", "act1", "conv2", "bn2", "act2"])
def test_a_graph_that_is_fused_keeps_the_numbers_or_is_an_error(
    place: str, side: str, around: bool
) -> None:
    torch.manual_seed(0)
    model, x = settled(Inner() if around else Plain()), image(16)
    plain = model(x)
    regard.insert(model, SE, **{side: f"body.{place}" if around else place})
    wanted = model(x)
    fused = by_graph(copy.deepcopy(model))
    try:
        torch.testing.assert_close(fused(x), wanted)
        assert (place[:-1], side) not in {("conv", "after"), ("bn", "before"), ("bn", "after")}
    except RuntimeError as error:
        assert "regard.remove(model) before" in str(error)
        regard.remove(model)
        torch.testing.assert_close(by_graph(model)(x), plain)
        assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())


def test_a_traced_graph_is_copied_with_its_blocks() -> None:
    torch.manual_seed(0)
    model, x = settled(Plain()), image(16)
    regard.insert(model, SE, after=["bn1", "act2"])
    graph = copy.deepcopy(torch.fx.symbolic_trace(model))
    torch.testing.assert_close(graph(x), model(x))
    torch.testing.assert_close(copy.deepcopy(model)(x), model(x))


@pytest.mark.parametrize("place", ["body.conv2", "body.bn2", "body.act2"])
def test_what_static_quantization_folds_is_no_place_of_a_block(place: str) -> None:
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_fx

    model, x = settled(Inner()), image(16)
    regard.insert(model, SE, after=place)
    with pytest.raises(RuntimeError, match=r"regard.remove\(model\) before"):
        prepare_fx(model, get_default_qconfig_mapping("fbgemm"), (x,))(x)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_quantized_maps_are_refused_with_what_to_do() -> None:
    maps = torch.quantize_per_tensor(torch.rand(1, 8, 4, 4), 0.1, 0, torch.quint8)
    with pytest.raises(TypeError, match="quantized maps .*out of quantization|qu8"):
        regard.vision.block(SE, 8)(maps)


def test_a_traced_graph_has_its_blocks() -> None:
    torch.manual_seed(0)
    model, x = settled(Basic(3, 8)), image(16)
    regard.insert(model, SE, after=["conv1", "bn2", "downsample"], example=x)
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(x), model(x))


@pytest.mark.parametrize("where", ["after", "before"])
def test_a_block_at_a_module_that_is_traced_into_is_one_node_of_the_graph(where: str) -> None:
    torch.manual_seed(0)
    model, x = settled(nn.Sequential(Basic(3, 8), Basic(8, 8))), image(16)
    regard.insert(model, "cbam(reduction=2)", example=x, **{where: "1"})
    graph = torch.fx.symbolic_trace(model)
    assert [n.target for n in graph.graph.nodes if "cbam" in str(n.target)] == ["1.cbam"]
    torch.testing.assert_close(graph(x), model(x))


def test_a_module_that_is_exchanged_by_its_owner_is_missed() -> None:
    model, x = settled(Plain()), image(16)
    regard.insert(model, SE, after="act1")
    model.act1 = nn.SiLU()
    with pytest.raises(RuntimeError, match="the block 'se' after act1 is gone: the module was rep"):
        model(x)
    regard.remove(model)
    model(x)


def test_a_block_that_is_deleted_or_a_hook_that_is_cleared_is_missed() -> None:
    for damage in (
        lambda m: delattr(m.act1, "se"),
        lambda m: m.act1._forward_hooks.clear(),
        lambda m: m.act1.register_forward_hook(next(iter(m.act1._forward_hooks.values()))),
    ):
        model = settled(Plain())
        regard.insert(model, SE, after="act1")
        damage(model)
        with pytest.raises(RuntimeError, match="the block 'se' after act1 is gone"):
            model(image(16))

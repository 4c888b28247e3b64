"""Fusing a convolution with its batch norm: the same numbers, or an error; never silence."""

import copy
import pickle
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


AROUND = pytest.mark.parametrize("around", [True, False], ids=["within a network", "at the top"])
SIDES = pytest.mark.parametrize("side", ["after", "before"])
PLACES = pytest.mark.parametrize("place", ["conv1", "bn1", "act1", "conv2", "bn2", "act2"])


def with_block(place: str, side: str, around: bool) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    model = settled(Inner() if around else Plain())
    regard.insert(model, SE, **{side: f"body.{place}" if around else place})
    return model, image(16)


@AROUND
@SIDES
@PLACES
def test_a_graph_that_is_fused_keeps_its_blocks(place: str, side: str, around: bool) -> None:
    model, x = with_block(place, side, around)
    wanted = model(x)
    fused = by_graph(copy.deepcopy(model))
    torch.testing.assert_close(fused(x), wanted)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in fused.modules()) < 2
    regard.remove(model)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())
    assert not any("__module__" in vars(m) for m in model.modules())
    assert not torch.allclose(by_graph(model)(x), wanted)


class ByFunctions(torch.fx.Transformer):
    """Runs activations as functions."""

    def call_module(self, target: str, args: tuple, kwargs: dict) -> object:
        if isinstance(self.fetch_attr(target), nn.ReLU):
            return self.call_function(torch.relu, args, kwargs)
        return super().call_module(target, args, kwargs)


def by_keywords(graph: torch.fx.GraphModule) -> nn.Module:
    from torch.fx.experimental.normalize import NormalizeArgs

    return NormalizeArgs(graph).transform()


def exchanged(graph: torch.fx.GraphModule) -> nn.Module:
    """Every activation and convolution is another module, as passes over graphs write them."""
    for node in graph.graph.nodes:
        old = graph.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(old, (nn.ReLU, nn.Conv2d)):
            owner, _, name = node.target.rpartition(".")
            new = nn.ReLU()
            if isinstance(old, nn.Conv2d):
                new = nn.Conv2d(old.in_channels, old.out_channels, 3, padding=1)
                new.weight, new.bias = old.weight, old.bias
            setattr(graph.get_submodule(owner), name, new)
    graph.recompile()
    return graph


@pytest.mark.parametrize(
    "rewritten", [exchanged, by_keywords, lambda graph: ByFunctions(graph).transform()]
)
@AROUND
@SIDES
@PLACES
def test_passes_over_a_graph_keep_its_blocks(
    place: str, side: str, around: bool, rewritten: Callable[..., nn.Module]
) -> None:
    model, x = with_block(place, side, around)
    graph = rewritten(torch.fx.symbolic_trace(model))
    torch.testing.assert_close(graph(x), model(x))


def without_dropout(graph: torch.fx.GraphModule) -> nn.Module:
    from torch.fx.experimental.optimization import remove_dropout

    return remove_dropout(graph)


def exchanged_by_name(graph: torch.fx.GraphModule) -> nn.Module:
    """Every norm and dropout is another module, by its name, as converters write it."""
    for name, module in list(graph.named_modules()):
        if isinstance(module, (nn.BatchNorm2d, nn.Dropout)):
            graph.set_submodule(name, copy.deepcopy(module))
            new = graph.get_submodule(name)
            new._forward_hooks.clear(), new._forward_pre_hooks.clear()
    return graph


def exchanged_by_node(graph: torch.fx.GraphModule) -> nn.Module:
    """Every call of a norm or dropout is one of another module."""
    for node in list(graph.graph.nodes):
        old = graph.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(old, (nn.BatchNorm2d, nn.Dropout)):
            graph.add_submodule(f"{node.name}_new", nn.Identity())
            with graph.graph.inserting_after(node):
                new = graph.graph.call_module(f"{node.name}_new", node.args)
            node.replace_all_uses_with(new)
            graph.graph.erase_node(node)
    graph.recompile()
    return graph


@pytest.mark.parametrize("exchange", [without_dropout, exchanged_by_name, exchanged_by_node])
@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize("kind", [nn.BatchNorm2d(8), nn.Dropout()], ids=["norm", "dropout"])
def test_a_pass_that_exchanges_a_norm_or_dropout_keeps_its_block_or_is_an_error(
    kind: nn.Module, side: str, exchange: Callable[..., nn.Module]
) -> None:
    torch.manual_seed(0)
    model, x = settled(nn.Sequential(nn.Conv2d(3, 8, 3), copy.deepcopy(kind), nn.ReLU())), image(16)
    plain = model(x)
    regard.insert(model, SE, **{side: "1"})
    wanted = model(x)
    assert not torch.allclose(wanted, plain)
    graph = torch.fx.symbolic_trace(model)
    graph.graph.lint()
    assert torch.equal(graph(x), wanted)
    assert torch.equal(copy.deepcopy(graph)(x), wanted)
    assert torch.equal(pickle.loads(pickle.dumps(graph))(x), wanted)
    assert torch.equal(torch.fx.Interpreter(torch.fx.symbolic_trace(graph)).run(x), wanted)
    graph = exchange(graph)
    if exchange is exchanged_by_name:
        name = (
            f"the block 'se' {side} 1 is gone: the module was replaced by a {type(kind).__name__}"
        )
        with pytest.raises(RuntimeError, match=name):
            graph(x)
    else:
        assert torch.equal(graph(x), wanted)


class Whole(torch.fx.Tracer):
    """A tracer with leaves of its own."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Basic) or super().is_leaf_module(m, module_qualified_name)


def test_a_leaf_of_a_tracer_of_ones_own_has_its_block_or_is_missed() -> None:
    torch.manual_seed(0)
    model, x = settled(nn.Sequential(Basic(3, 8), Basic(8, 8))), image(16)
    regard.insert(model, SE, after="1")
    graph = torch.fx.GraphModule(model, Whole().trace(model))
    assert torch.equal(graph(x), model(x))
    graph.set_submodule("1", Basic(8, 8))
    with pytest.raises(RuntimeError, match="the block 'se' after 1 is gone: .* by a Basic"):
        graph(x)


class Branches(nn.Module):
    """A block that is rewritten for use, as RepVGG is: its branches become one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Sequential(nn.Conv2d(3, 3, 3, 1, 1), nn.Identity())
        self.one: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(x) if self.one is None else self.one(x)

    def deploy(self) -> None:
        self.one = self.dense[0]
        del self.dense


def test_a_block_that_goes_with_what_is_around_it_is_missed_and_can_be_let_go() -> None:
    model, x = nn.Sequential(Branches(), Basic(3, 8)).eval(), image(16)
    regard.insert(model, SE, after=["0.dense.1", "1.conv1", "1.bn2"], example=x)
    model[0].deploy()
    with pytest.raises(
        RuntimeError, match=r"after 0.dense.1 is gone.*remove\(model, '0.dense.1'\)"
    ):
        model(x)
    assert regard.remove(model, "0.dense.1").places == ()
    model(x)
    with pytest.raises(ValueError, match="no such block to remove: 1.conv1.se, 1.bn2.se"):
        regard.remove(model, "0.one")
    model[1] = Basic(3, 8)
    with pytest.raises(RuntimeError, match="after 1.conv1 is gone"):
        model(x)
    assert regard.remove(model).places == ()
    model(x)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())


def test_a_block_moves_with_what_is_around_it() -> None:
    model, x = nn.Sequential(Basic(3, 8), Basic(8, 8)).eval(), image(16)
    regard.insert(model, SE, after=["1.conv1", "1.bn2"])
    wanted = model(x)
    model.insert(1, nn.Identity())
    assert torch.equal(model(x), wanted)
    model[2] = Held(model[2])
    assert torch.equal(model(x), wanted)
    part = copy.deepcopy(model[2].inner)
    assert torch.equal(part(model[0](x)), wanted)
    del model[2]
    with pytest.raises(RuntimeError, match="is gone"):
        model(x)


class Held(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


class One(nn.Module):
    def __init__(self, place: nn.Module) -> None:
        super().__init__()
        self.place = place

    def forward(self, x: Tensor) -> Tensor:
        return self.place(x)


def of_pytorch() -> list[nn.Module]:
    """Modules of `torch.nn` that read maps, made as they come or as in the table."""
    said = {
        "Conv2d": (8, 8, 3), "ConvTranspose2d": (8, 8, 2, 2), "BatchNorm2d": (8,),
        "InstanceNorm2d": (8,), "SyncBatchNorm": (8,), "GroupNorm": (2, 8), "Linear": (6, 6),
        "LayerNorm": ([8, 6, 6],), "RMSNorm": ([8, 6, 6],), "Threshold": (0.0, 0.0),
        "ChannelShuffle": (2,), "UpsamplingBilinear2d": (None, 2), "Upsample": (None, 2),
        "LPPool2d": (2, 2), "ConstantPad2d": (1, 0.0), "Softmax": (1,), "LogSoftmax": (1,),
        "Softmin": (1,), "GLU": (1,),
    }  # fmt: skip
    made = []
    for name in nn.modules.__all__:
        if name.startswith("Transformer"):
            continue  # millions of weights, and none reads maps
        for arguments in (said.get(name, ()), (2,)):
            try:
                module = getattr(nn, name)(*arguments)
                maps = module(torch.rand(2, 8, 6, 6)).ndim == 4
                row = isinstance(module, nn.Sequential)
                if maps and not row and getattr(module, "num_features", 8) == 8:
                    made.append(module)
                    break
            except (TypeError, ValueError, RuntimeError, NotImplementedError, AssertionError):
                continue
    return made


@pytest.mark.parametrize("trained", [True, False], ids=["in training", "in evaluation"])
@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.filterwarnings("ignore")
def test_a_block_at_any_module_of_pytorch_is_in_graphs(side: str, trained: bool) -> None:
    modules = of_pytorch()
    names = {type(module).__name__ for module in modules}
    assert len(names) > 60 and names >= {
        "Conv2d",
        "BatchNorm2d",
        "Dropout",
        "CircularPad2d",
        "ReLU",
    }
    x = torch.rand(2, 8, 6, 6)
    for module in modules:
        model = One(module).train(trained)
        regard.insert(model, SE, **{side: "place"}, example=x)
        graph = torch.fx.symbolic_trace(model).eval()
        outputs = []
        for each in (graph, model.eval()):
            torch.manual_seed(0)
            outputs.append(each(x))
        assert torch.equal(*outputs), type(module).__name__
        regard.remove(model)
        assert "__module__" not in vars(module)


def test_a_traced_graph_is_copied_with_its_blocks() -> None:
    torch.manual_seed(0)
    model, x = settled(Plain()), image(16)
    regard.insert(model, SE, after=["bn1", "act2"])
    graph = copy.deepcopy(torch.fx.symbolic_trace(model))
    torch.testing.assert_close(graph(x), model(x))
    torch.testing.assert_close(copy.deepcopy(model)(x), model(x))


def quantized(model: nn.Module, x: Tensor, trained: bool) -> nn.Module:
    from torch.ao import quantization
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx, prepare_qat_fx

    if trained:
        settings = quantization.get_default_qat_qconfig_mapping("fbgemm")
        prepared = prepare_qat_fx(model.train(), settings, (x,)).eval()
    else:
        prepared = prepare_fx(model, quantization.get_default_qconfig_mapping("fbgemm"), (x,))
    for _ in range(3):
        prepared(x)
    return convert_fx(prepared)


@pytest.mark.parametrize("trained", [True, False], ids=["in training", "afterwards"])
@AROUND
@SIDES
@PLACES
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_static_quantization_keeps_blocks_or_is_an_error(
    place: str, side: str, around: bool, trained: bool
) -> None:
    model, x = with_block(place, side, around)
    wanted = model(x)
    if place.startswith("bn"):
        with pytest.raises(
            RuntimeError, match=r"would be lost .* quantized; regard.remove\(model\)"
        ):
            quantized(model, x, trained)
        return
    out = quantized(model, x, trained)(x)
    assert (out - wanted).abs().mean() < 0.1 * wanted.abs().mean()


@pytest.mark.parametrize("module", [nn.BatchNorm2d(3), nn.Dropout()], ids=["norm", "dropout"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_quantizing_replaces_alone_is_an_error_when_it_is_prepared(module: nn.Module) -> None:
    model, x = One(module).eval(), image(16)
    regard.insert(model, "se", after="place", example=x)
    with pytest.raises(RuntimeError, match="would be lost where that module is quantized"):
        quantized(model, x, False)


class Adapted(nn.Module):
    """A low-rank adapter beside a convolution, which it keeps."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base_layer, self.extra = base, nn.Conv2d(base.in_channels, 8, 1)
        nn.init.zeros_(self.extra.weight), nn.init.zeros_(self.extra.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.base_layer(x) + self.extra(x)


def recomputed(module: nn.Module) -> nn.Module:
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    return checkpoint_wrapper(module)


def compiled(module: nn.Module) -> nn.Module:
    return torch.compile(module, backend="eager")


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("wrapped", [Adapted, recomputed, compiled])
@pytest.mark.parametrize("side", ["after", "before"])
def test_a_module_that_is_wrapped_has_its_block(
    side: str, wrapped: Callable[[nn.Module], nn.Module]
) -> None:
    model, x = with_block("conv2", side, True)
    with torch.no_grad():
        wanted = model(x)
        model.body.conv2 = wrapped(model.body.conv2)
        torch.testing.assert_close(model(x), wanted)
        model.body.bn2 = nn.Sequential(model.body.bn2)
        torch.testing.assert_close(model(x), wanted)


def test_a_block_goes_along_where_its_row_is_renumbered_and_is_missed_where_it_is_taken_out() -> (
    None
):
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)), image(16)
    regard.insert(model, SE, after="1")
    wanted = model(x)
    model.insert(0, nn.Identity())
    torch.testing.assert_close(model(x), wanted)
    assert [place.module for place in Plan.of(model).places] == ["2"]
    model.pop(2)
    with pytest.raises(RuntimeError, match="the block 'se' after 1 is gone"):
        model(x)


class ByName(nn.Module):
    """Calls its modules by the names of their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 8, 3), nn.ReLU()

    def forward(self, *, x: Tensor) -> Tensor:
        return self.act(input=self.conv(input=x))


@pytest.mark.parametrize("place", ["conv", "act"])
def test_a_block_in_front_of_a_module_reads_its_first_argument_by_name_too(place: str) -> None:
    torch.manual_seed(0)
    model, x = ByName().eval(), image(16)
    regard.insert(model, SE, before=place, example={"x": x})
    kept = model.get_submodule(place).se
    front = kept(x) if place == "conv" else x
    out = torch.conv2d(front, model.conv.weight, model.conv.bias)
    torch.testing.assert_close(model(x=x), (kept(out) if place == "act" else out).relu())
    regard.remove(model)
    assert not any(m._forward_pre_hooks_with_kwargs for m in model.modules())


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


@pytest.mark.usefixtures("as_users_have_it")
def test_a_block_that_torch_fx_traces_into_says_how_it_stays_whole() -> None:
    graph = torch.fx.symbolic_trace(with_block("act1", "after", False)[0])
    with pytest.raises(TypeError, match="torch.fx traces into SqueezeExcitation.*is_leaf_module"):
        torch.fx.symbolic_trace(graph)


def test_a_module_that_is_exchanged_by_its_owner_is_missed() -> None:
    model, x = settled(Plain()), image(16)
    regard.insert(model, SE, after="act1")
    model.act1 = nn.SiLU()
    with pytest.raises(RuntimeError, match="after act1 is gone: .* by a SiLU, as fusing"):
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

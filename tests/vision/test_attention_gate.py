"""The attention gate of a U-Net: which places of a skip connection the coarser map asks for."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.vision import AttentionGate
from tests.vision.definition import assert_is, at_places, normed

PLACES = {1: ((12,), (6,)), 2: ((12, 10), (6, 5)), 3: ((4, 6, 4), (2, 3, 2))}


def resized(maps: Tensor, places: torch.Size) -> Tensor:
    """Linearly, one direction after the other: centers of places stand at (i + 1/2) / n."""
    for direction, size in enumerate(places, start=2):
        old = maps.shape[direction]
        at = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        share = torch.from_numpy(at - low).reshape(-1, *(1 for _ in maps.shape[direction + 1 :]))
        high = np.minimum(low + 1, old - 1)
        one, other = (maps.index_select(direction, torch.from_numpy(i)) for i in (low, high))
        maps = one * (1 - share) + other * share
    return maps


def definition(gate: AttentionGate, x: Tensor, g: Tensor) -> Tensor:
    step, kernel = gate.stride, gate.of_x.weight
    of_x: Tensor | float = 0.0
    for offset in np.ndindex(*kernel.shape[2:]):
        cut = [slice(o, n // step * step, step) for o, n in zip(offset, x.shape[2:], strict=True)]
        of_x = of_x + torch.einsum("hc,bc...->bh...", kernel[(..., *offset)], x[(..., *cut)])
    hidden = of_x + resized(at_places(gate.of_g, g), of_x.shape[2:])
    gates = resized(at_places(gate.score, hidden.clamp_min(0)).sigmoid(), x.shape[2:])
    y = x * gates
    return normed(gate.norm, at_places(gate.transform, y)) if gate.variant == "official" else y


@pytest.mark.parametrize("variant", ["paper", "official"])
@pytest.mark.parametrize("dims", PLACES)
@pytest.mark.parametrize("stride", [1, 2])
def test_it_is_its_equation(variant: str, dims: int, stride: int) -> None:
    fine, coarse = PLACES[dims]
    gate = AttentionGate(6, 10, stride=stride, variant=variant, dims=dims)
    assert_is(gate, definition, torch.randn(3, 6, *fine), torch.randn(3, 10, *coarse))


def test_grids_need_not_fit() -> None:
    gate = AttentionGate(6, 10)
    assert_is(gate, definition, torch.randn(3, 6, 11, 7), torch.randn(3, 10, 4, 5))
    assert_is(gate, definition, torch.randn(3, 6, 2, 3), torch.randn(3, 10, 1, 1))


def test_a_gate_is_between_0_and_1_for_each_place() -> None:
    gate, x, g = AttentionGate(6, 10), torch.randn(2, 6, 12, 10), torch.randn(2, 10, 6, 5)
    gates = gate.weights(x, g)
    assert gates.shape == (2, 1, 12, 10) and gates.min() >= 0 and gates.max() <= 1
    assert torch.equal(gate(x, g), x * gates)


def test_no_image_enters_what_is_said_of_another() -> None:
    gate, x, g = AttentionGate(6, 10), torch.randn(3, 6, 12, 10), torch.randn(3, 10, 6, 5)
    whole = gate(x, g)
    for i in range(3):
        torch.testing.assert_close(gate(x[i : i + 1], g[i : i + 1]), whole[i : i + 1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_it_follows_its_dtype_and_copies_are_it(dtype: torch.dtype) -> None:
    gate = AttentionGate(6, 10, variant="official").to(dtype).eval()
    x, g = torch.randn(2, 6, 12, 10, dtype=dtype), torch.randn(2, 10, 6, 5, dtype=dtype)
    assert gate(x, g).dtype == dtype and gate(x, g).isfinite().all()
    for other in (copy.deepcopy(gate), pickle.loads(pickle.dumps(gate))):
        assert torch.equal(other(x, g), gate(x, g))


@pytest.mark.usefixtures("as_users_have_it")
def test_a_wrong_call_is_one_sentence() -> None:
    for wrong in ("channels", "gating_channels", "hidden", "stride", "variant", "dims"):
        for value in (0, -1, 1.5, "8"):
            with pytest.raises(ValueError, match=f"^AttentionGate .*{wrong}"):
                AttentionGate(**{"channels": 6, "gating_channels": 10, wrong: value})
    gate = AttentionGate(6, 10, variant="official")
    x, g = torch.randn(1, 6, 12, 10), torch.randn(1, 10, 6, 5)
    with pytest.raises(ValueError, match="made for 10 channels, got 6"):
        gate(x, x)
    with pytest.raises(ValueError, match="one map g for each map x, got 2 for 1"):
        gate(x, torch.cat([g, g]))
    with pytest.raises(ValueError, match="stride 2, .* say stride=1"):
        gate(torch.randn(1, 6, 1, 10), g)
    with pytest.raises(ValueError, match=r"reads \[batch, 6 channels, height, width\]"):
        gate(torch.randn(1, 6, 12), g)
    with pytest.raises(ValueError, match="one value for each of 6 channels"):
        AttentionGate(6, 10, stride=1, variant="official")(torch.randn(1, 6, 1, 1), g)

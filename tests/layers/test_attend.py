"""A call's own parts: what `regard.attention` does with them, and nothing of it stays behind."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard.layers import Attend
from regard.layers.part_module import own
from regard.masks import Causal, Padding
from regard.normalizers import Sink, sigmoid, softmax, sparsemax
from regard.score_mods import ALiBi, Bias, RelativeBias
from regard.scores import ScaledDot

STORED: dict[str, Any] = {
    "score": ScaledDot(0.3),
    "score_mod": ALiBi(4),
    "mask": Causal(),
    "normalizer": softmax,
}


def heads(*lengths: int) -> list[Tensor]:
    return [torch.randn(2, 4, n, 8, dtype=torch.float64, requires_grad=True) for n in lengths]


def bias() -> Bias:
    return Bias(nn.Parameter(torch.randn(4, 5, 7, dtype=torch.float64)))


def relative() -> RelativeBias:
    part = RelativeBias(4, num_buckets=8).double()
    nn.init.normal_(part.weight)
    return part


GIVEN: dict[str, Callable[[], dict[str, Any]]] = {
    "nothing": dict,
    "a mask": lambda: {"mask": Padding(torch.tensor([7, 4]))},
    "a tensor as mask": lambda: {"mask": torch.rand(2, 1, 5, 7) < 0.7},
    "a bias": lambda: {"score_mod": bias()},
    "a module as score_mod": lambda: {"score_mod": relative()},
    "a normalizer": lambda: {"normalizer": sparsemax},
    "a normalizer with weights": lambda: {"normalizer": Sink(4).double()},
    "an offset": lambda: {"q_offset": 1},
    "everything": lambda: {
        "mask": Padding(torch.tensor([7, 4])),
        "score_mod": bias(),
        "normalizer": sigmoid,
        "q_offset": torch.tensor([2, 0]),
    },
}


def in_place_of_stored(given: dict[str, Any]) -> dict[str, Any]:
    """The parts with which the operator itself does the same."""
    mask = given.get("mask")
    if isinstance(mask, Tensor):
        mask = regard.masks.Dense(mask)
    return {**STORED, **given, "mask": Causal() if mask is None else Causal() & mask}


def learned(given: dict[str, Any]) -> list[Tensor]:
    """The weights of a call's own parts."""
    modules = (own(part) for part in given.values() if not isinstance(part, (int, Tensor)))
    return [w for m in modules if isinstance(m, nn.Module) for w in m.parameters()]


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("wrap", [lambda part: part, own], ids=["as it is", "owned"])
def test_a_call_with_parts_equals_the_operator_with_them_in_values_and_gradients(
    name: str, wrap: Callable[[Any], Any]
) -> None:
    attend, given, inputs = Attend(**STORED), GIVEN[name](), heads(5, 7, 7)
    leaves = [*inputs, *learned(given)]
    wanted = regard.attention(*inputs, **in_place_of_stored(given))
    plain = isinstance(given.get("mask"), Tensor) or "q_offset" in given
    called = given if plain else {role: wrap(part) for role, part in given.items()}
    found = attend(*inputs, **called)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), leaves),
        torch.autograd.grad(wanted.square().sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13)
        assert one.any()


@pytest.mark.parametrize("name", GIVEN)
def test_the_weights_of_a_call_are_those_of_the_operator_with_its_parts(name: str) -> None:
    attend, given, (query, key) = Attend(**STORED), GIVEN[name](), heads(5, 7)
    wanted = regard.attention_weights(query, key, **in_place_of_stored(given))
    torch.testing.assert_close(attend.weights(query, key, **given), wanted, rtol=0, atol=1e-14)
    some = attend.weights(query, key, rows=[0, -1], heads=2, **given)
    torch.testing.assert_close(some, wanted[:, 2:3, [0, -1]], rtol=0, atol=1e-14)


def test_a_calls_parts_are_forgotten_after_it() -> None:
    attend, inputs = Attend(**STORED), heads(5, 7, 7)
    before, keys = attend(*inputs), list(attend.state_dict())
    attend(*inputs, **GIVEN["everything"]())
    attend.weights(*inputs[:2], **GIVEN["everything"]())
    assert torch.equal(attend(*inputs), before) and list(attend.state_dict()) == keys


def test_a_mask_alone_is_added_where_the_others_replace() -> None:
    attend, (query, key) = Attend(**STORED), heads(5, 7)
    weights = attend.weights(query, key, Padding(torch.tensor([3, 7])), score_mod=ALiBi(4))
    assert not weights[0, :, :, 3:].any() and not weights.triu(3).any()
    torch.testing.assert_close(attend.weights(query, key, score_mod=ALiBi(4))[1], weights[1])

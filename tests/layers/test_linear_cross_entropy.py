"""The last layer and its loss in one pass are what they are in two."""

import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from regard.layers import linear_cross_entropy


def case(rows: int, bias: bool, vocab: int = 11, width: int = 5) -> dict[str, Tensor | None]:
    rng = torch.Generator().manual_seed(0)
    made: dict[str, Any] = {
        "features": torch.randn(rows, width, generator=rng, dtype=torch.float64),
        "weight": torch.randn(vocab, width, generator=rng, dtype=torch.float64),
        "bias": torch.randn(vocab, generator=rng, dtype=torch.float64) if bias else None,
    }
    for tensor in made.values():
        if tensor is not None:
            tensor.requires_grad_()
    return made | {"labels": torch.randint(vocab, (rows,), generator=rng)}


def two_passes(
    features: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, smoothing: float = 0.0
) -> Tensor:
    logits = linear(features, weight, bias)
    return cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)


def gradients(loss: Tensor, given: dict[str, Tensor | None]) -> list[Tensor]:
    leaves = [t for name, t in given.items() if t is not None and name != "labels"]
    return list(torch.autograd.grad(3.0 * loss, leaves))


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_value_and_gradients_are_those_of_two_passes(
    rows: int, bias: bool, smoothing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Chunks of three rows: fewer, just as many, one more, several with a rest.
    module = sys.modules["regard.layers.linear_cross_entropy"]
    monkeypatch.setattr(module, "_CHUNK_BYTES", 4 * 11 * 3)
    given = case(rows, bias)
    loss = linear_cross_entropy(**given, smoothing=smoothing)
    wanted = two_passes(**given, smoothing=smoothing)
    torch.testing.assert_close(loss, wanted, rtol=1e-12, atol=1e-12)
    for one, other in zip(gradients(loss, given), gradients(wanted, given), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_no_row_is_no_loss_and_no_gradient(smoothing: float) -> None:
    given = case(0, bias=True)
    loss = linear_cross_entropy(**given, smoothing=smoothing)
    assert loss.item() == 0
    features, weight, bias = gradients(loss, given)
    assert features.shape == (0, 5) and not weight.any() and not bias.any()


def test_large_logits_do_not_overflow() -> None:
    features = torch.full((2, 1), 1e4, requires_grad=True)
    weight = torch.tensor([[1.0], [-1.0]], requires_grad=True)
    loss = linear_cross_entropy(features, weight, None, torch.tensor([0, 1]))
    torch.testing.assert_close(loss, torch.tensor(2e4))
    loss.backward()
    assert features.grad.isfinite().all() and weight.grad.isfinite().all()


def test_a_weight_that_is_the_embedding_too_gets_both_gradients() -> None:
    weight = case(4, bias=False)["weight"]
    labels, tokens = torch.tensor([1, 5, 5, 0]), torch.tensor([3, 1, 1, 10])
    one = linear_cross_entropy(weight[tokens].tanh(), weight, None, labels)
    other = two_passes(weight[tokens].tanh(), weight, None, labels)
    (found,), (wanted,) = (torch.autograd.grad(loss, weight) for loss in (one, other))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_gradients_are_given_only_to_what_asks_for_them() -> None:
    given = case(3, bias=True)
    given["features"] = given["features"].detach()
    loss = linear_cross_entropy(**given)
    found = torch.autograd.grad(loss, [given["weight"], given["bias"]])
    wanted = torch.autograd.grad(two_passes(**given), [given["weight"], given["bias"]])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        assert not linear_cross_entropy(**given).requires_grad


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_under_autocast_it_is_near_and_gradients_keep_their_dtype(smoothing: float) -> None:
    given = {
        name: t if name == "labels" or t is None else t.detach().float().requires_grad_()
        for name, t in case(6, bias=True).items()
    }
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(**given, smoothing=smoothing)
    wanted = two_passes(**given, smoothing=smoothing)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, wanted, rtol=0.02, atol=0.02)
    for one, other in zip(gradients(loss, given), gradients(wanted, given), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.1)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_a_smoothing_that_makes_no_sense_is_refused(smoothing: float) -> None:
    with pytest.raises(ValueError, match="smoothing must be at least 0 and below 1"):
        linear_cross_entropy(**case(2, bias=False), smoothing=smoothing)

"""Relevance against its equations in loops, with gradients of finite differences."""

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.explain import (
    Bimodal,
    attention_times_gradient,
    cross_relevance,
    relevance,
)
from tests.explain.drawn import weights


def slopes(like: Tensor, seed: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(like.shape, generator=generator, dtype=torch.float64)


def step(layer: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """`E_h[(∇A ⊙ A)^+]`, one pair after the other."""
    heads, q_len, k_len = layer.shape
    found = np.zeros((q_len, k_len))
    for q, k in np.ndindex(q_len, k_len):
        found[q, k] = sum(max(slope[h, q, k] * layer[h, q, k], 0.0) for h in range(heads)) / heads
    return found


def test_a_weight_counts_by_what_the_score_would_lose_without_it() -> None:
    given, change = weights(2, 1, 2, 3, 3), 1e-6

    def score(layers: Tensor) -> Tensor:
        mixed = layers[1].mean(1) @ layers[0].prod(1).sin()
        return mixed.square().sum()

    given.requires_grad_()
    (gradient,) = torch.autograd.grad(score(given), given)
    found = attention_times_gradient(given.detach(), gradient).stacked().values
    for place in np.ndindex(*given.shape):
        more, less = given.detach().clone(), given.detach().clone()
        more[place] += change
        less[place] -= change
        slope = (score(more) - score(less)).item() / (2 * change)
        assert found[place].item() == pytest.approx(slope * given[place].item(), abs=1e-7)


def test_relevance_is_what_the_equation_says() -> None:
    given = weights(4, 2, 3, 5, 5, causal=True)
    gradient = slopes(given)
    found = relevance(given, gradient)
    assert found.axes == ("batch", "query", "key")
    for item in range(2):
        wanted = np.eye(5)
        for layer, slope in zip(given[:, item].numpy(), gradient[:, item].numpy(), strict=True):
            wanted = wanted + step(layer, slope) @ wanted
        np.testing.assert_allclose(found.values[item].numpy(), wanted, rtol=1e-12)


def test_without_a_gradient_a_token_is_relevant_to_itself_alone() -> None:
    given = weights(3, 1, 2, 4, 4)
    assert torch.equal(relevance(given, 0 * given).values[0], torch.eye(4).double())
    assert torch.equal(relevance(given, -given).values[0], torch.eye(4).double())


def normalized(found: np.ndarray) -> np.ndarray:
    rest = found - np.eye(len(found))
    for row in rest:
        if row.sum():
            row /= row.sum()
    return rest + np.eye(len(found))


def test_two_streams_follow_the_bimodal_rules() -> None:
    a, b = 3, 4
    r_aa, r_ab, r_ba, r_bb = np.eye(a), np.zeros((a, b)), np.zeros((b, a)), np.eye(b)
    state = Bimodal.begin(1, a, b, torch.empty(0, dtype=torch.float64))
    for number, (q, k) in enumerate([("a", "a"), ("b", "b"), ("a", "b"), ("b", "a")] * 2):
        sizes = {"a": a, "b": b}
        layer = weights(1, 2, sizes[q], sizes[k], seed=number)
        slope = slopes(layer, seed=number)
        cam = step(layer[0].numpy(), slope[0].numpy())
        if (q, k) == ("a", "a"):
            r_aa, r_ab = r_aa + cam @ r_aa, r_ab + cam @ r_ab
            state = state.first_attends_first(layer, slope)
        elif (q, k) == ("b", "b"):
            r_bb, r_ba = r_bb + cam @ r_bb, r_ba + cam @ r_ba
            state = state.turned().first_attends_first(layer, slope).turned()
        elif (q, k) == ("a", "b"):
            r_ab, r_aa = r_ab + normalized(r_aa).T @ cam @ normalized(r_bb), r_aa + cam @ r_ba
            state = state.first_attends_second(layer, slope)
        else:
            r_ba, r_bb = r_ba + normalized(r_bb).T @ cam @ normalized(r_aa), r_bb + cam @ r_ab
            state = state.turned().first_attends_second(layer, slope).turned()
    for found, wanted in (
        (state.r_aa, r_aa), (state.r_ab, r_ab), (state.r_ba, r_ba), (state.r_bb, r_bb)
    ):  # fmt: skip
        np.testing.assert_allclose(found[0].numpy(), wanted, rtol=1e-10)


def test_an_encoder_and_a_decoder_are_two_streams() -> None:
    encoder, decoder = weights(2, 2, 2, 4, 4), weights(3, 2, 2, 5, 5, causal=True, seed=1)
    cross = weights(3, 2, 2, 5, 4, seed=2)
    gradients = slopes(encoder), slopes(decoder), slopes(cross)
    found = cross_relevance((encoder, gradients[0]), (decoder, gradients[1]), (cross, gradients[2]))
    for item in range(2):
        below = np.eye(4)
        for layer, slope in zip(encoder[:, item], gradients[0][:, item], strict=True):
            below = below + step(layer.numpy(), slope.numpy()) @ below
        target, source = np.eye(5), np.zeros((5, 4))
        for own, own_slope, other, other_slope in zip(
            decoder[:, item], gradients[1][:, item], cross[:, item], gradients[2][:, item],
            strict=True,
        ):  # fmt: skip
            cam = step(own.numpy(), own_slope.numpy())
            target, source = target + cam @ target, source + cam @ source
            cam = step(other.numpy(), other_slope.numpy())
            source = source + normalized(target).T @ cam @ normalized(below)
        np.testing.assert_allclose(found.source.values[item].numpy(), source, rtol=1e-10)
        np.testing.assert_allclose(found.target.values[item].numpy(), target, rtol=1e-10)
    alone = cross_relevance(None, (decoder, gradients[1]), (cross, gradients[2]))
    torch.testing.assert_close(alone.target.values, found.target.values)
    assert alone.source.values.shape == found.source.values.shape


@pytest.mark.usefixtures("as_users_have_it")
def test_what_does_not_fit_is_refused() -> None:
    layer, other = weights(1, 1, 3, 3), weights(1, 1, 3, 4)
    with pytest.raises(ValueError, match="3 queries and 4 keys, which are other tokens"):
        relevance([other], [other])
    with pytest.raises(ValueError, match=r"do not fit 1 items with 3 queries and 4 keys; say turn"):
        Bimodal.begin(1, 3, 4).first_attends_second(layer, layer)
    with pytest.raises(TypeError, match=r"needs cross as two.*cross=\(weights, gradients\)"):
        cross_relevance(None, ([layer], [layer]), [other])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reads 4 tokens of 1 items, and the encoder gives 3"):
        cross_relevance(([layer], [layer]), ([layer], [layer]), ([other], [other]))

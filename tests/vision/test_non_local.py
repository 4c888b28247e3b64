"""Non-local blocks against their equation, written out in float64, place by place."""

import math

import pytest
import torch
from torch import Tensor

from regard.vision import NonLocal
from tests.one_by_one import all_in_one
from tests.vision.pairwise import assert_same_with_gradients, linear, normed, randomized

PAIRS = ("embedded_gaussian", "gaussian", "dot", "concatenation")
MAPS = {1: (7,), 2: (5, 4), 3: (3, 4, 5)}


def halved(x: Tensor) -> Tensor:
    """The largest of every two (by two) places, by hand: `[batch, channels, *places]`."""
    for axis in range(x.ndim - 1, 1, -1):
        if x.ndim == 5 and axis == 2:
            continue
        even = x.shape[axis] // 2 * 2
        first, second = x.narrow(axis, 0, even).unflatten(axis, (-1, 2)).unbind(axis + 1)
        x = torch.maximum(first, second)
    return x


def defined(block: NonLocal, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output and weights, from the paper's equation over every pair."""
    theta = x if block.pair == "gaussian" else linear(block.theta, x)
    keyed = values = x
    if block.subsample and block.variant == "official":
        keyed = values = halved(x)
    phi = keyed if block.pair == "gaussian" else linear(block.phi, keyed)
    g = linear(block.g, values)
    if block.subsample and block.variant == "paper":
        phi, g = halved(phi), halved(g)
    theta, phi, g = theta.flatten(2), phi.flatten(2), g.flatten(2)
    dots = torch.einsum("bcq,bck->bqk", theta, phi)
    if block.pair == "concatenation":
        w = block.score.weight[0]
        inner = len(w) // 2
        of_theta = torch.einsum("c,bcq->bq", w[:inner], theta)
        of_phi = torch.einsum("c,bck->bk", w[inner:], phi)
        f = torch.relu(of_theta[:, :, None] + of_phi[:, None]) / phi.shape[2]
    elif block.pair == "dot":
        f = dots / phi.shape[2]
    else:
        is_scaled = block.pair == "embedded_gaussian" and block.variant == "official"
        f = (dots / math.sqrt(theta.shape[1]) if is_scaled else dots).exp()
        f = f / f.sum(2, keepdim=True)
    y = torch.einsum("bqk,bck->bcq", f, g)
    z = linear(block.out, y)
    if block.batch_norm is not None:
        z = normed(block.batch_norm, z)
    return x + z.reshape(x.shape), f[:, None]


@all_in_one("dims", MAPS)
@all_in_one("variant", ["official", "paper"])
@all_in_one("subsample", [False, True])
@all_in_one("norm", [None, "training", "running"])
@pytest.mark.parametrize("pair", PAIRS)
def test_a_non_local_block_is_its_equation(
    pair: str, norm: str | None, subsample: bool, variant: str, dims: int
) -> None:
    options = {"subsample": subsample, "norm": norm is not None, "variant": variant}
    block = randomized(NonLocal(6, pair, **options))
    block.train(norm == "training")
    assert_same_with_gradients(block, defined, torch.randn(3, 6, *MAPS[dims]).double())


def test_rows_are_those_of_all_weights() -> None:
    for pair in PAIRS:
        block, x = randomized(NonLocal(6, pair)), torch.randn(2, 6, 5, 4).double()
        every = block.weights(x)
        for rows in ([0, -1], slice(3, 9, 2), 7):
            wanted = every[:, :, [rows] if isinstance(rows, int) else rows]
            torch.testing.assert_close(block.weights(x, rows=rows), wanted)


def test_frames_are_kept_when_keys_are_subsampled() -> None:
    block = NonLocal(4, subsample=True)
    assert block.weights(torch.randn(1, 4, 3, 6, 8)).shape == (1, 1, 144, 3 * 3 * 4)
    assert block.weights(torch.randn(1, 4, 7, 5)).shape == (1, 1, 35, 3 * 2)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_constant_added_to_a_key_of_softmax_changes_nothing(pair: str) -> None:
    """Which is why these have no bias there."""
    block = NonLocal(8, pair)
    has_bias = pair != "gaussian" and block.phi.bias is not None
    assert has_bias == (pair in ("dot", "concatenation"))


@pytest.mark.usefixtures("as_users_have_it")
def test_what_cannot_be_pooled_is_refused() -> None:
    block = NonLocal(4, subsample=True)
    with pytest.raises(ValueError, match="NonLocal pools .* subsample=False"):
        block(torch.randn(1, 4, 2, 2, 2, 2))
    with pytest.raises(ValueError, match="NonLocal needs subsample to be|True or False as subsamp"):
        NonLocal(4, subsample=1)

"""What `scaled_dot_product_attention` and `nn.MultiheadAttention` compute, so does the operator."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import regard
from regard.masks import Causal, Dense, Padding
from regard.score_mods import Bias
from regard.scores import ScaledDot
from tests.parts import Sizes, tensors
from tests.probe import assert_same, slope

MASK_SHAPES = [
    (5, 7), (1, 7), (5, 1), (1, 1), (4, 5, 7), (1, 1, 5, 7), (2, 1, 5, 7), (1, 4, 5, 7),
    (2, 4, 5, 7), (2, 1, 1, 7), (2, 4, 1, 1), (1, 1, 5, 1),
]  # fmt: skip
BACKENDS = [None, "reference", "chunked", "sdpa"]


def both(ours: dict[str, Any], theirs: dict[str, Any], sizes: Sizes | None = None) -> None:
    """Compare output and gradients of the two."""
    __tracebackhide__ = True
    inputs = [x.requires_grad_() for x in tensors(sizes or Sizes())]
    found = regard.attention(*inputs, **ours)
    wanted = F.scaled_dot_product_attention(*inputs, **theirs, enable_gqa=True)
    names = ("output", "query", "key", "value")
    gradients = [torch.autograd.grad(x, inputs, slope(x)) for x in (found, wanted)]
    assert_same(
        dict(zip(names, (found.detach(), *gradients[0]), strict=True)),
        dict(zip(names, (wanted.detach(), *gradients[1]), strict=True)),
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", MASK_SHAPES, ids=str)
def test_every_form_of_a_boolean_mask(shape: tuple[int, ...], backend: str | None) -> None:
    mask = torch.rand(shape) < 0.7
    mask[..., 0] = True
    both({"mask": mask, "backend": backend}, {"attn_mask": mask})
    both({"mask": Dense(mask) & Dense(mask), "backend": backend}, {"attn_mask": mask})


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", MASK_SHAPES, ids=str)
def test_every_form_of_an_additive_mask(shape: tuple[int, ...], backend: str | None) -> None:
    bias = torch.randn(shape, dtype=torch.float64)
    both({"score_mod": Bias(bias), "backend": backend}, {"attn_mask": bias})


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sizes", [(2, 6, 2), (1, 4, 1), (3, 3, 3)], ids=str)
@pytest.mark.parametrize("scale", [None, 0.3, 2.0])
def test_grouped_heads_and_scales(
    sizes: tuple[int, int, int], scale: float | None, backend: str | None
) -> None:
    ours = {"score": ScaledDot(scale), "backend": backend}
    both(ours, {"scale": scale}, Sizes(*sizes, 6, 6))
    both(ours | {"mask": Causal()}, {"scale": scale, "is_causal": True}, Sizes(*sizes, 6, 6))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a12_the_scale_is_not_applied_to_the_bias(backend: str | None) -> None:
    bias = torch.randn(5, 7, dtype=torch.float64)
    ours = {"score": ScaledDot(0.1), "score_mod": Bias(bias), "backend": backend}
    both(ours, {"scale": 0.1, "attn_mask": bias})


@pytest.mark.parametrize("backend", BACKENDS)
def test_a10_causal_and_a_mask_are_both_honored(backend: str | None) -> None:
    """Torch refuses both; here they are joined."""
    mask = torch.rand(2, 1, 6, 6) < 0.7
    mask[..., 0] = True
    both({"mask": Causal() & Dense(mask), "backend": backend}, {"attn_mask": mask.tril()},
         Sizes(2, 4, 2, 6, 6))  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_a11_a_three_dimensional_mask_is_per_head(backend: str | None) -> None:
    mask = torch.rand(4, 5, 7) < 0.6
    mask[..., 0] = True
    both({"mask": mask, "backend": backend}, {"attn_mask": mask[None]})


@pytest.mark.parametrize("backend", BACKENDS)
def test_a13_the_scale_reaches_every_kernel(backend: str | None) -> None:
    query, key, value = (x.float() for x in tensors(Sizes(2, 4, 4, 64, 64, 16, 16)))
    for scale in (0.01, 0.25, 1.0):
        found = regard.attention(query, key, value, score=ScaledDot(scale), backend=backend)
        wanted = (query.double() @ key.double().mT * scale).softmax(-1) @ value.double()
        assert (found.double() - wanted).abs().max() < 5e-6


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [(1, 5), (3, 5), (5, 5), (7, 5), (1, 1)], ids=str)
def test_c1_causal_is_aligned_with_the_last_key(
    lengths: tuple[int, int], backend: str | None
) -> None:
    """Torch's is_causal counts from the first key, so that a decoding step saw one key only."""
    q_len, k_len = lengths
    query, key, _ = tensors(Sizes(1, 2, 2, q_len, k_len))
    spelled = torch.eye(k_len, dtype=torch.float64).expand(1, 2, k_len, k_len)
    seen = regard.attention(query, key, spelled, mask=Causal(), backend=backend) != 0
    lower = torch.ones(q_len, k_len, dtype=torch.bool).tril(k_len - q_len)
    assert torch.equal(seen, lower.expand(1, 2, -1, -1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a1_a_row_of_padding_is_zero_where_torch_gives_nan(backend: str | None) -> None:
    """The output of a sequence without a key is what `nn.MultiheadAttention` should give."""
    torch.manual_seed(1)
    layer = nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
    x = torch.randn(2, 5, 12, dtype=torch.float64, requires_grad=True)
    ignore = torch.zeros(2, 5, dtype=torch.bool)
    ignore[0, 3:] = True

    def ours(ignore: Tensor) -> Tensor:
        projected = F.linear(x, layer.in_proj_weight, layer.in_proj_bias)
        query, key, value = projected.unflatten(-1, (3, 3, 4)).permute(2, 0, 3, 1, 4)
        mask = Padding(ignore=ignore)
        output = regard.attention(query, key, value, mask=mask, backend=backend)
        return layer.out_proj(output.transpose(1, 2).flatten(2))

    wanted, _ = layer(x, x, x, key_padding_mask=ignore)
    assert_same({"output": ours(ignore).detach()}, {"output": wanted.detach()})
    ignore[1] = True
    found = ours(ignore)
    assert_same({"dead": found[1].detach()}, {"dead": layer.out_proj.bias.detach().expand(5, -1)})
    found.sum().backward()
    assert all(p.grad.isfinite().all() for p in [x, *layer.parameters()])


def test_weights_are_those_of_the_definition() -> None:
    query, key, _ = tensors(Sizes(2, 2, 2))
    wanted = (query @ key.mT / math.sqrt(3)).softmax(-1)
    assert_same({"it": regard.attention_weights(query, key)}, {"it": wanted})

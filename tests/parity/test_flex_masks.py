"""Masks and score mods mean in torch's FlexAttention what they mean to us (CPU, uncompiled).

FlexAttention has no backward pass on CPU, so gradients are compared on a GPU.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import flex_attention as flex

from regard.masks import Causal, Dense, Document, Padding, Prefix, SlidingWindow
from regard.score_mods import ALiBi, Bias, RelativeBias, SoftCap
from tests.contracts.test_masks import MASKS, indices
from tests.contracts.test_score_mods import MODS


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run FlexAttention without dynamo, which does not read code checked by the shape hook."""
    monkeypatch.setattr(flex, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)


def _qkv(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.randn(batch, heads, q_len, 8, dtype=torch.float64),
        torch.randn(batch, heads, k_len, 8, dtype=torch.float64),
        torch.randn(batch, heads, k_len, 8, dtype=torch.float64),
    )


def _written_out(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: Callable[..., Tensor] | None = None,
    mask: Callable[..., Tensor] | None = None,
    scale: float = 8**-0.5,
) -> Tensor:
    """Attend by the definition: scale, modify, mask, normalize, sum; a dead row is zero."""
    at = indices(*query.shape[:3], key.shape[2])
    scores = query @ key.mT * scale
    if score_mod is not None:
        scores = score_mod(scores, *at)
    if mask is not None:
        scores = scores.masked_fill(~mask(*at), -torch.inf)
    return scores.softmax(-1).nan_to_num(0.0) @ value


def _flex(query: Tensor, key: Tensor, value: Tensor, **given: object) -> Tensor:
    with torch.no_grad():
        return flex.flex_attention(query, key, value, **given)


@pytest.mark.parametrize("sizes", [(2, 3, 5, 7), (1, 2, 130, 129)], ids=str)
@pytest.mark.parametrize("make", MASKS.values(), ids=MASKS)
def test_every_mask_serves_flex_attention_unchanged(make: Callable, sizes: tuple[int, ...]) -> None:
    mask, _ = make(*sizes)
    batch, heads, q_len, k_len = sizes
    block_mask = flex.create_block_mask(mask, batch, heads, q_len, k_len, device="cpu")
    query, key, value = _qkv(*sizes)
    out = _flex(query, key, value, block_mask=block_mask)
    torch.testing.assert_close(
        out, _written_out(query, key, value, mask=mask), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("make", MODS.values(), ids=MODS)
def test_every_score_mod_serves_flex_attention_unchanged(make: Callable) -> None:
    mod, _ = make(2, 3, 5, 7)
    query, key, value = _qkv(2, 3, 5, 7)
    out = _flex(query, key, value, score_mod=mod)
    torch.testing.assert_close(
        out, _written_out(query, key, value, score_mod=mod), rtol=1e-12, atol=1e-12
    )


def test_blocks_without_a_permitted_pair_are_skipped() -> None:
    block_mask = flex.create_block_mask(
        Causal() & SlidingWindow(100), 1, 1, 1024, 1024, device="cpu"
    )
    blocks = block_mask.to_dense()[0, 0].bool()
    near = torch.ones(8, 8, dtype=torch.bool)
    assert torch.equal(blocks, near.tril() & near.triu(-1))


def test_a_mask_and_a_score_mod_are_both_honored() -> None:
    query, key, value = _qkv(2, 4, 9, 9)
    mask = Causal() & Padding(torch.tensor([9, 4])) | Prefix(1)
    block_mask = flex.create_block_mask(mask, 2, 4, 9, 9, device="cpu")
    for mod in (ALiBi(4), Bias(torch.randn(4, 9, 9)), RelativeBias(4), SoftCap(1.0)):
        out = _flex(query, key, value, score_mod=mod, block_mask=block_mask)
        expected = _written_out(query, key, value, score_mod=mod, mask=mask)
        torch.testing.assert_close(out, expected.detach(), rtol=1e-12, atol=1e-12)


def test_causal_and_a_mask_equal_the_explicit_triangle_of_the_mask() -> None:
    tensor = torch.rand(2, 3, 6, 6) < 0.6
    at = indices(2, 3, 6, 6)
    assert torch.equal((Causal() & Dense(tensor))(*at), tensor.tril())


def _support(mask: Callable[..., Tensor], q_len: int, k_len: int, q_offset: int) -> Tensor:
    """Read which keys reach which query, with values that spell the keys' names."""

    def shifted(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return mask(b, h, q + q_offset, k)

    block_mask = flex.create_block_mask(shifted, 1, 1, q_len, k_len, device="cpu")
    value = torch.eye(k_len)[None, None]
    query, key = torch.zeros(1, 1, q_len, 8), torch.zeros(1, 1, k_len, 8)
    return _flex(query, key, value, block_mask=block_mask)[0, 0] != 0


@pytest.mark.parametrize(("q_len", "k_len"), [(1, 5), (3, 5), (5, 5), (7, 5)])
def test_causal_is_aligned_with_the_last_key(q_len: int, k_len: int) -> None:
    seen = _support(Causal(), q_len, k_len, k_len - q_len)
    expected = torch.ones(q_len, k_len, dtype=torch.bool).tril(k_len - q_len)
    assert torch.equal(seen, expected)
    assert seen[-1].all()


@pytest.mark.parametrize("left", [0, 1, 126, 127, 128, 129])
def test_a_window_reaches_exactly_as_far_as_it_says(left: int) -> None:
    seen = _support(SlidingWindow(left), 260, 260, 0)
    ones = torch.ones(260, 260, dtype=torch.bool)
    assert torch.equal(seen, ones.tril() & ones.triu(-left))
    assert seen[-1].sum() == left + 1


def test_heads_come_before_queries_in_three_dimensions() -> None:
    per_head = torch.rand(3, 5, 7) < 0.5
    query, key, value = _qkv(2, 3, 5, 7)
    block_mask = flex.create_block_mask(Dense(per_head), 2, 3, 5, 7, device="cpu")
    out = _flex(query, key, value, block_mask=block_mask)
    for head in range(3):
        alone = [x[:, head : head + 1] for x in (query, key, value)]
        torch.testing.assert_close(
            out[:, head : head + 1], _written_out(*alone, mask=Dense(per_head[head]))
        )


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_a_bias_of_ln_two_doubles_a_key_whatever_the_scale(scale: float) -> None:
    query, key, value = _qkv(1, 2, 4, 5)
    bias = torch.zeros(1, 5, dtype=torch.float64)
    bias[0, 2] = torch.tensor(2.0, dtype=torch.float64).log()
    out = _flex(query, key, value, score_mod=Bias(bias), scale=scale)
    doubled = [torch.cat([x, x[:, :, 2:3]], dim=2) for x in (key, value)]
    torch.testing.assert_close(
        out, _written_out(query, *doubled, scale=scale), rtol=1e-12, atol=1e-12
    )


def test_documents_and_windows_compose_with_padding_on_both_sides() -> None:
    ids = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 2, 2, 2]])
    keep = torch.tensor([[0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0]]).bool()
    mask = Document(ids) & SlidingWindow(1, 1) & Padding(keep=keep)
    near = (torch.arange(7)[:, None] - torch.arange(7)).abs() <= 1
    expected = (ids[:, :, None] == ids[:, None, :]) & near & keep[:, None, :]
    assert torch.equal(mask(*indices(2, 1, 7, 7))[:, 0], expected)
    query, key, value = _qkv(2, 1, 7, 7)
    block_mask = flex.create_block_mask(mask, 2, 1, 7, 7, device="cpu")
    torch.testing.assert_close(
        _flex(query, key, value, block_mask=block_mask),
        _written_out(query, key, value, mask=mask),
    )


def test_a_module_as_score_mod_has_its_weights_in_the_result() -> None:
    query, key, value = _qkv(1, 2, 4, 5)
    mod = RelativeBias(2)
    before = _flex(query, key, value, score_mod=mod)
    nn.init.normal_(mod.weight)
    assert not torch.equal(before, _flex(query, key, value, score_mod=mod))

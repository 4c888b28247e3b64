"""A stack is its blocks in order, and recomputing changes nothing but the memory."""

import pytest
import torch
from torch import nn

from regard.layers import (
    Attend,
    EncoderBlock,
    FeedForward,
    GatedFeedForward,
    PostNorm,
    PreNorm,
    SelfAttention,
    Stack,
)
from regard.masks import Causal, Padding


def blocks(kind: type[PostNorm] | type[PreNorm] = PostNorm, number: int = 3) -> list[nn.Module]:
    return [
        EncoderBlock(
            SelfAttention(8, 2, Attend(dropout=0.2)),
            FeedForward(8, 16, dropout=0.2),
            lambda: kind(nn.LayerNorm(8), 0.2),
        )
        for _ in range(number)
    ]


@pytest.mark.parametrize("kind", [PostNorm, PreNorm])
def test_a_stack_is_its_blocks_in_order(kind: type[PostNorm] | type[PreNorm]) -> None:
    parts, x = blocks(kind), torch.randn(2, 5, 8)
    stack, wanted = Stack(parts).eval(), x
    for block in parts:
        wanted = block(wanted, Causal())
    assert torch.equal(stack(x, Causal()), wanted)
    assert torch.equal(stack(x, mask=Causal()), wanted)
    assert len(stack) == 3


@pytest.mark.parametrize("kind", [PostNorm, PreNorm])
def test_residuals_are_their_formulas(kind: type[PostNorm] | type[PreNorm]) -> None:
    norm, x = nn.LayerNorm(8), torch.randn(2, 5, 8)
    nn.init.normal_(norm.weight)
    residual = kind(norm)
    wanted = norm(x + x.sin()) if kind is PostNorm else x + norm(x).sin()
    assert torch.equal(residual(x, torch.sin), wanted)
    assert torch.equal(residual.entering(x), x if kind is PostNorm else norm(x))


def test_recomputing_gives_the_same_numbers_and_gradients() -> None:
    stack, x, found = Stack(blocks()), torch.randn(2, 5, 8), []
    for recompute in (False, True):
        stack.recompute = recompute
        stack.zero_grad()
        torch.manual_seed(5)
        y = stack(x, Causal() & Padding(torch.tensor([5, 2])))
        y.square().sum().backward()
        found.append([y, *(weight.grad.clone() for weight in stack.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_recomputing_keeps_less() -> None:
    x, kept = torch.randn(2, 50, 8, requires_grad=True), []
    stack = Stack(blocks(number=6))
    for recompute in (False, True):
        stack.recompute, sizes = recompute, []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t
        ):
            stack(x, Causal())
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 5


def test_the_same_block_twice_shares_its_weights() -> None:
    (block,) = blocks(number=1)
    assert len(list(Stack([block] * 4).parameters())) == len(list(block.parameters()))


def test_every_block_needs_its_cache() -> None:
    with pytest.raises(ValueError, match="3 blocks need as many caches, got 1"):
        Stack(blocks())(torch.randn(1, 2, 8), caches=[None])


def test_feed_forward_is_its_formula() -> None:
    x, plain = torch.randn(2, 3, 8), FeedForward(8, 16, torch.tanh)
    wanted = torch.tanh(x @ plain.hidden.weight.T + plain.hidden.bias) @ plain.output.weight.T
    torch.testing.assert_close(plain(x), wanted + plain.output.bias)
    gated = GatedFeedForward(8, 16)
    hidden = nn.functional.silu(x @ gated.gate.weight.T) * (x @ gated.hidden.weight.T)
    torch.testing.assert_close(gated(x), hidden @ gated.output.weight.T)


def test_weights_are_dropped_while_training_only() -> None:
    layer, x = SelfAttention(8, 2, Attend(dropout=0.5)), torch.randn(2, 5, 8)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))
    with pytest.raises(ValueError, match="got 1.5"):
        Attend(dropout=1.5)


def test_masks_of_the_layer_and_of_the_call_are_joined() -> None:
    layer, x = SelfAttention(8, 2, Attend(mask=Causal())), torch.randn(2, 5, 8)
    given = torch.rand(5, 5) < 0.7
    seen = layer.weights(x, given)[0, 0] > 0
    assert torch.equal(seen, given & torch.ones(5, 5).tril().bool())
    both = SelfAttention(8, 2, Attend(mask=given))
    both.load_state_dict({**both.state_dict(), **layer.state_dict()})
    torch.testing.assert_close(both(x, Causal()), layer(x, given))
    assert repr(Causal()) in repr(layer)

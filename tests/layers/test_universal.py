"""Blocks that share their weights, are told the step, and are left when thought is enough."""

import math
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from regard.layers import (
    CrossAttention,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    Halting,
    KVCache,
    PostNorm,
    SelfAttention,
    Stack,
    universal,
)
from regard.masks import Causal, Padding


def block(width: int = 8) -> EncoderBlock:
    made = EncoderBlock(
        SelfAttention(width, 2), FeedForward(width, 12), lambda: PostNorm(nn.LayerNorm(width))
    )
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(std=0.5)
    return made.double()


def written(rows: int = 2, length: int = 5) -> Tensor:
    return torch.randn(rows, length, 8, dtype=torch.float64)


def signal(position: int, step: int, width: int) -> np.ndarray:
    """The paper's coordinate embedding, one number after the other; both counted from 1."""
    wave = []
    for column in range(width):
        rate = 10000.0 ** (-2 * (column // 2) / width)
        turn = math.cos if column % 2 else math.sin
        wave.append(turn(position * rate) + turn(step * rate))
    return np.array(wave)


def signals(length: int, step: int, width: int = 8) -> Tensor:
    return torch.from_numpy(np.stack([signal(i + 1, step, width) for i in range(length)]))


def test_a_shared_stack_is_one_block_over_and_over_with_one_set_of_weights() -> None:
    one, x = block(), written()
    stack = Stack.shared(one, 3)
    assert torch.equal(stack(x), one(one(one(x))))
    assert [id(w) for w in stack.parameters()] == [id(w) for w in one.parameters()]
    with pytest.raises(ValueError, match="times >= 1, got 0"):
        Stack.shared(one, 0)


def test_the_gradient_of_a_shared_block_is_the_sum_over_its_uses() -> None:
    one, x = block(), written()
    Stack.shared(one, 3)(x).pow(3).sum().backward()
    copies = [block() for _ in range(3)]
    for copy in copies:
        copy.load_state_dict(one.state_dict())
    Stack(copies)(x).pow(3).sum().backward()
    for name, weight in one.named_parameters():
        summed = sum(copy.get_parameter(name).grad for copy in copies)
        torch.testing.assert_close(weight.grad, summed, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [Stack.shared, universal])
def test_every_use_of_a_block_has_its_own_cache(make: Any) -> None:
    stack, x = make(block(), 3), written()
    caches = [KVCache() for _ in stack]
    parts = [stack(x[:, cut], Causal(), caches=caches) for cut in (slice(0, 3), slice(3, 5))]
    wanted = stack(x, Causal())
    torch.testing.assert_close(torch.cat(parts, dim=1), wanted, rtol=0, atol=1e-12)
    assert [cache.length for cache in caches] == [5, 5, 5]


def test_a_universal_decoder_goes_on_from_its_caches() -> None:
    heads = (SelfAttention(8, 2), CrossAttention(8, 2), FeedForward(8, 12))
    one = DecoderBlock(*heads, lambda: PostNorm(nn.LayerNorm(8))).double()
    stack, x, memory = universal(one, 2), written(), written(length=4)
    caches = [step.precompute_kv(memory) for step in stack]
    parts = [stack(x[:, i : i + 1], caches=caches) for i in range(5)]
    wanted = stack(x, memory, Causal())
    torch.testing.assert_close(torch.cat(parts, dim=1), wanted, rtol=0, atol=1e-12)


def test_position_and_step_are_added_before_each_step() -> None:
    one, x = block(), written()
    wanted, looks = x, []
    for step in (1, 2, 3):
        entering = wanted + signals(5, step)
        looks.append(one.weights(entering))
        wanted = one(entering)
    stack = universal(one, 3)
    torch.testing.assert_close(stack(x), wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(stack.weights(x), torch.stack(looks), rtol=0, atol=1e-6)
    assert len(list(stack.parameters())) == len(list(one.parameters()))
    with pytest.raises(ValueError, match="steps >= 1, got 0"):
        universal(one, 0)


def test_the_weights_of_a_stack_are_those_of_its_blocks_in_the_same_call() -> None:
    first, second = block(), block()
    x, mask = written(), Padding(torch.tensor([5, 2]))
    looks = [first.weights(x, mask), second.weights(first(x, mask), mask)]
    assert torch.equal(Stack([first, second]).weights(x, mask), torch.stack(looks))


class Mixing(nn.Module):
    """A block as simple as can be that still looks at other positions: every one at the mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own, self.other = (nn.Parameter(torch.randn(width, width)) for _ in range(2))

    def forward(self, x: Tensor, mask: Padding | None = None) -> Tensor:
        rows = range(len(x)) if mask is None else mask.lengths.tolist()
        lengths = [x.shape[1]] * len(x) if mask is None else rows
        means = [
            row[:n].mean(0) if n else row.sum(0) * 0 for row, n in zip(x, lengths, strict=True)
        ]
        return torch.tanh(x @ self.own + torch.stack(means).unsqueeze(1) @ self.other)


def by_the_book(
    halting: Halting, x: np.ndarray, epsilon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Graves 2016 for one sequence: one position, one step, one number at a time."""
    w, b = halting.halt.weight.detach().numpy()[0], halting.halt.bias.item()
    state, output = x.copy(), np.zeros_like(x)
    steps, remainder, total = np.zeros(len(x), int), np.zeros(len(x)), np.zeros(len(x))
    done = [False] * len(x)
    for number, block in enumerate(halting, 1):
        after = block(torch.from_numpy(state)[None])[0].detach().numpy()
        for i in range(len(x)):
            if done[i]:
                continue
            state[i] = after[i]
            h = 1 / (1 + math.exp(-(w @ state[i] + b)))
            if total[i] + h >= 1 - epsilon or number == len(halting):
                done[i], steps[i], remainder[i] = True, number, 1 - total[i]
                h = remainder[i]
            total[i] += h
            output[i] += h * state[i]
    return output, steps, remainder


def thinker(blocks: list[nn.Module], bias: float = -1.0, epsilon: float = 0.01) -> Halting:
    halting = Halting(Stack(blocks), 8, epsilon).double()
    with torch.no_grad():
        halting.halt.weight.normal_(std=1.0)
        halting.halt.bias.fill_(bias)
    return halting


@pytest.mark.parametrize("epsilon", [0.01, 0.3])
def test_halting_is_the_papers(epsilon: float) -> None:
    halting, x = thinker([Mixing(8) for _ in range(5)], epsilon=epsilon), written(3, 7)
    found = halting.forward_act(x)
    assert len(set(found.steps.flatten().tolist())) > 3, "the example must have every case"
    for row in range(3):
        output, steps, remainder = by_the_book(halting, x[row].numpy(), epsilon)
        np.testing.assert_array_equal(found.steps[row], steps)
        np.testing.assert_allclose(found.output[row].detach(), output, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.remainder[row].detach(), remainder, rtol=0, atol=1e-12)
    assert torch.equal(halting(x), found.output)
    torch.testing.assert_close(found.ponder_cost, found.steps + found.remainder)


def test_a_stack_of_one_block_halts_with_the_whole_weight() -> None:
    one, x = Mixing(8).double(), written()
    found = thinker([one]).forward_act(x)
    torch.testing.assert_close(found.output, one(x))
    assert found.remainder.eq(1).all()
    assert found.steps.eq(1).all()


def test_padding_never_ponders_and_costs_nothing() -> None:
    halting, x = thinker([Mixing(8) for _ in range(4)]), written(3, 6)
    lengths = [6, 2, 0]
    found = halting.forward_act(x, Padding(torch.tensor(lengths)))
    for row, length in enumerate(lengths):
        assert not found.ponder_cost[row, length:].any()
        assert not found.output[row, length:].any()
        if length:
            alone = halting.forward_act(x[row : row + 1, :length])
            torch.testing.assert_close(found.ponder_cost[row, :length], alone.ponder_cost[0])


def test_the_padding_of_a_joined_mask_is_found() -> None:
    halting, x = thinker([block() for _ in range(3)]), written()
    both = halting.forward_act(x, Causal() & Padding(torch.tensor([5, 2])))
    assert not both.steps[1, 2:].any()
    assert both.steps[1, :2].all()


def test_blocks_behind_the_last_halt_are_not_run() -> None:
    halting, ran = thinker([block() for _ in range(5)], bias=50.0), []
    for number, one in enumerate(halting):
        one.register_forward_hook(lambda *_, number=number: ran.append(number))
    assert halting.forward_act(written()).steps.eq(1).all()
    assert ran == [0]


def test_the_cost_teaches_to_halt_sooner() -> None:
    torch.manual_seed(0)
    halting, x = thinker([block() for _ in range(6)], bias=-3.0), written(4, 6)
    before = halting.forward_act(x).steps.sum()
    optimizer = torch.optim.Adam([halting.halt.weight, halting.halt.bias], lr=0.3)
    for _ in range(40):
        optimizer.zero_grad()
        halting.forward_act(x).ponder_cost.sum().backward()
        optimizer.step()
    assert halting.forward_act(x).steps.sum() < before / 2


def test_the_gradient_of_halting_is_that_of_its_formula() -> None:
    torch.manual_seed(3)
    halting = thinker([Mixing(8) for _ in range(3)])
    x = written(1, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: halting.forward_act(x).output, x)
    assert torch.autograd.gradcheck(lambda x: halting.forward_act(x).remainder, x)


def test_who_has_halted_keeps_the_weights_of_its_last_step() -> None:
    halting, x = thinker([block() for _ in range(4)]), written(2, 6)
    looks, steps = halting.weights(x), halting.forward_act(x).steps
    assert looks.shape == (4, 2, 2, 6, 6)
    assert len(set(steps.flatten().tolist())) > 1, "the example must have several cases"
    torch.testing.assert_close(looks.sum(-1), torch.ones_like(looks[..., 0]))
    for row, place in np.ndindex(2, 6):
        last = looks[steps[row, place] - 1, row, :, place]
        assert torch.equal(looks[-1, row, :, place], last)
    torch.testing.assert_close(looks[0], next(iter(halting)).weights(x))


def test_recomputing_an_adaptive_stack_changes_nothing() -> None:
    stack, x, found = Halting(universal(block(), 3), 8).double(), written(), []
    for recompute in (False, True):
        stack.stack.recompute = recompute
        stack.zero_grad()
        stack(x).square().sum().backward()
        found.append([weight.grad.clone() for weight in stack.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("epsilon", [0.0, 1.0, math.nan])
def test_a_threshold_out_of_bounds_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon must be greater than 0"):
        Halting(Stack([block()]), 8, epsilon)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_what_a_fake_call_computed_is_not_kept_for_a_real_one() -> None:
    stack, x = universal(block(), 2), written()
    wanted = stack(x)
    fresh = deepcopy(stack)
    for step in fresh:
        step.coordinates.waves.kept = None
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert fresh(mode.from_tensor(x)).shape == x.shape
    torch.func.vmap(lambda row: fresh(row.unsqueeze(0)))(x)
    assert torch.equal(fresh(x), wanted)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.filterwarnings("ignore:`torch.jit.trace", "error::torch.jit.TracerWarning")
def test_a_traced_stack_serves_other_lengths() -> None:
    stack = universal(block(), 2)
    traced = torch.jit.trace(stack, written())
    longer = written(rows=3, length=9)
    torch.testing.assert_close(traced(longer), stack(longer))

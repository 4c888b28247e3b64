"""The LSTM with its written-out gradient is torch's LSTM, and a stack ends where each row ends."""

import pytest
import torch
from torch import Tensor, nn

from regard.layers.lstm import lstm
from regard.layers.stacked_lstm import LSTMState, StackedLSTM


def inputs(steps: int = 4, rows: int = 3, width: int = 5) -> list[Tensor]:
    shapes = [(steps, rows, 4 * width), (rows, width), (rows, width), (width, 4 * width)]
    return [torch.randn(shape, dtype=torch.float64).requires_grad_() for shape in shapes]


def by_the_book(
    gates: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    states, cells = [], []
    for step in gates.unbind(0):
        i, f, o, g = (step + hidden @ weight).chunk(4, -1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        states.append(hidden)
        cells.append(cell)
    return torch.stack(states), torch.stack(cells)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("used", ["states", "cells", "both"])
def test_states_and_every_gradient_are_those_of_the_plain_loop(steps: int, used: str) -> None:
    parts = inputs(steps)
    found, wanted = lstm(*parts), by_the_book(*parts)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    mix = [torch.randn_like(found[0]) * (used in (name, "both")) for name in ("states", "cells")]
    pick = {"states": [0], "cells": [1], "both": [0, 1]}[used]
    gradients = [
        torch.autograd.grad(sum((out[n] * mix[n]).sum() for n in pick), parts)
        for out in (found, wanted)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_the_written_gradient_passes_gradcheck() -> None:
    assert torch.autograd.gradcheck(lstm, inputs(steps=3, rows=2, width=2))


def test_inputs_are_not_modified() -> None:
    parts = [part.detach() for part in inputs()]
    before = [part.clone() for part in parts]
    lstm(*parts)
    assert all(torch.equal(a, b) for a, b in zip(parts, before, strict=True))


def test_a_stack_with_torchs_weights_is_torchs_stack() -> None:
    ours, theirs = StackedLSTM(3, 5, num_layers=2).double(), nn.LSTM(3, 5, num_layers=2).double()
    with torch.no_grad():
        for number, layer in enumerate(ours.layers):
            names = (f"{kind}_l{number}" for kind in ("weight_ih", "weight_hh", "bias_ih"))
            # Torch's order of the gates is i f g o.
            given = [theirs.get_parameter(n).chunk(4) for n in names]
            inner, outer, bias = (torch.cat([i, f, o, g]) for i, f, g, o in given)
            layer.input_weight.copy_(inner.mT)
            layer.weight.copy_(outer.mT)
            layer.bias.copy_(bias)
            theirs.get_parameter(f"bias_hh_l{number}").zero_()
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    first = torch.randn(2, 2, 4, 5, dtype=torch.float64)
    found, state = ours(x, LSTMState(*first))
    wanted, (hidden, cell) = theirs(x, tuple(first))
    for one, other in ((found, wanted), (state.hidden, hidden), (state.cell, cell)):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_a_padded_row_ends_where_its_last_step_is() -> None:
    stack = StackedLSTM(3, 5, num_layers=2).double()
    x, lengths = torch.randn(6, 4, 3, dtype=torch.float64), torch.tensor([6, 1, 0, 4])
    first = LSTMState(*torch.randn(2, 2, 4, 5, dtype=torch.float64))
    found, state = stack(x, first, lengths)
    for row, length in enumerate(lengths.tolist()):
        cut = (slice(None), slice(row, row + 1))
        alone, last = stack(
            x[:length, row : row + 1], LSTMState(first.hidden[cut], first.cell[cut])
        )
        torch.testing.assert_close(found[:length, row : row + 1], alone)
        torch.testing.assert_close(state.hidden[cut], last.hidden)
        torch.testing.assert_close(state.cell[cut], last.cell)


def test_steps_one_by_one_are_the_whole() -> None:
    stack = StackedLSTM(3, 5, num_layers=2).double()
    x, state, found = torch.randn(6, 4, 3, dtype=torch.float64), None, []
    for step in x.unbind(0):
        output, state = stack(step[None], state)
        found.append(output)
    whole, last = stack(x)
    torch.testing.assert_close(torch.cat(found), whole)
    torch.testing.assert_close(state.cell, last.cell)


def test_dropout_touches_what_is_passed_up_and_not_what_is_remembered() -> None:
    lone, stack = StackedLSTM(3, 5, dropout=0.5), StackedLSTM(3, 5, num_layers=2, dropout=0.5)
    x = torch.randn(6, 4, 3)
    assert torch.equal(lone(x)[0], lone(x)[0])
    one, other = stack(x)[1], stack(x)[1]
    assert torch.equal(one.hidden[0], other.hidden[0])
    assert not torch.equal(one.hidden[1], other.hidden[1])


def test_autocast_is_ignored_by_the_backward_pass_too() -> None:
    parts = [x.detach().float().requires_grad_() for x in inputs()]
    total, found = sum(x.sin().sum() for x in lstm(*parts)), []
    assert isinstance(total, Tensor)
    for is_on in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=is_on):
            found.append(torch.autograd.grad(total, parts, retain_graph=True))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))

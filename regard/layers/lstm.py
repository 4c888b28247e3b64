"""Long short-term memory over a whole sequence, with a hand-written gradient."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from regard._backends._bind import ignoring_autocast, without_autocast
from regard._torch_private import is_open
from regard.layers._full_precision import without_mixed_precision
from regard.layers.steps import Tensors, over_steps

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def lstm(
    gates: Float[Tensor, "steps rows four_widths"],
    hidden: Float[Tensor, "rows width"],
    cell: Float[Tensor, "rows width"],
    weight: Float[Tensor, "width four_widths"],
) -> tuple[Float[Tensor, "steps rows width"], Float[Tensor, "steps rows width"]]:
    """Run an LSTM and return hidden states and memory cells after every step.

    `[i, f, o, g] = gates + h U`, `c' = sigmoid(f) c + sigmoid(i) tanh(g)`,
    `h' = sigmoid(o) tanh(c')`, where `gates` is the contribution of the input, projected beforehand
    for all steps at once. Rows are independent and no step sees a later one: where a row is padded
    at its end, take its states at its last real step.

    One autograd node for the whole sequence, and buffers written in place. First derivatives only.
    It ignores autocast and runs in the dtype of its weights.

    >>> hidden, cells = lstm(torch.zeros(3, 2, 8), torch.zeros(2, 2), torch.ones(2, 2),
    ...                      torch.zeros(2, 8))
    >>> cells[:, 0, 0]
    tensor([0.5000, 0.2500, 0.1250])

    References:
        Hochreiter & Schmidhuber. Long Short-Term Memory. 1997.
        https://doi.org/10.1162/neco.1997.9.8.1735
    """
    gates, hidden, cell = without_mixed_precision(weight, gates, hidden, cell)
    with without_autocast(weight.device.type):
        if is_open(gates.shape[0]):
            return _as_steps(gates, hidden, cell, weight)
        return _LSTM.apply(gates, hidden, cell, weight)


def _as_steps(gates: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The same, for an exported program: the definition."""

    def step(state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
        i, f, o, g = (inputs[0] + state[0] @ weight).chunk(4, dim=-1)
        new = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        shown = o.sigmoid() * new.tanh()
        return (shown, new), (shown, new)

    _, (states, cells) = over_steps(step, (hidden, cell), (gates,))
    return states, cells


class _LSTM(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        steps, rows, width = len(gates), *hidden.shape
        states, cells = (gates.new_empty(steps + 1, rows, width) for _ in range(2))
        states[0], cells[0] = hidden, cell
        opened, squashed = torch.empty_like(gates), gates.new_empty(steps, rows, width)
        for step in range(steps):
            ifog = torch.addmm(gates[step], states[step], weight, out=opened[step])
            ifog[:, : 3 * width].sigmoid_()
            ifog[:, 3 * width :].tanh_()
            i, f, o, g = ifog.chunk(4, dim=-1)
            torch.mul(i, g, out=cells[step + 1]).addcmul_(f, cells[step])
            torch.tanh(cells[step + 1], out=squashed[step])
            torch.mul(o, squashed[step], out=states[step + 1])
        ctx.save_for_backward(states, cells, opened, squashed, weight)
        ctx.set_materialize_grads(False)
        return states[1:], cells[1:]

    @staticmethod
    @once_differentiable
    @ignoring_autocast
    def backward(
        ctx: Any, grad_states: Tensor | None, grad_cells: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        states, cells, opened, squashed, weight = ctx.saved_tensors
        width = len(weight)
        grad_gates, raw = torch.empty_like(opened), opened.new_empty(opened.shape[1:])
        grad_hidden, grad_cell = (torch.zeros_like(states[0]) for _ in range(2))
        buffer, turned = torch.empty_like(grad_cell), weight.mT.contiguous()
        for step in range(len(opened) - 1, -1, -1):
            (i, f, o, g), grad = opened[step].chunk(4, dim=-1), grad_gates[step]
            raw_i, raw_f, raw_o, raw_g = raw.chunk(4, dim=-1)
            if grad_states is not None:
                grad_hidden.add_(grad_states[step])
            if grad_cells is not None:
                grad_cell.add_(grad_cells[step])
            torch.mul(grad_hidden, squashed[step], out=raw_o)
            torch.mul(grad_hidden, o, out=buffer)
            grad_cell.add_(_tanh_backward(buffer, squashed[step], grad_input=grad_hidden))
            torch.mul(grad_cell, g, out=raw_i)
            torch.mul(grad_cell, cells[step], out=raw_f)
            torch.mul(grad_cell, i, out=raw_g)
            grad_cell.mul_(f)
            cut = 3 * width
            _sigmoid_backward(raw[:, :cut], opened[step, :, :cut], grad_input=grad[:, :cut])
            _tanh_backward(raw_g, g, grad_input=grad[:, cut:])
            torch.mm(grad, turned, out=grad_hidden)
        grad_weight = states[:-1].flatten(0, 1).mT @ grad_gates.flatten(0, 1)
        return grad_gates, grad_hidden, grad_cell, grad_weight

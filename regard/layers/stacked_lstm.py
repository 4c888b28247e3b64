"""Stacked LSTMs and their state."""

from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._numbers import count
from regard.layers.dropout import Dropout
from regard.layers.lstm import lstm

STATES = 3.0
"""Initial gain of layers that read LSTM states: those are that much smaller than the inputs."""


@dataclass(frozen=True, eq=False)
class LSTMState:
    """The state of every layer of a stack for every row."""

    hidden: Float[Tensor, "layers rows width"]
    cell: Float[Tensor, "layers rows width"]


class LSTMLayer(nn.Module):
    """The weights of one LSTM (see `lstm`); the forget gate starts open, with a bias of 1.

    Args:
        input_dim: width of the inputs.
        width: of the states.
        gain: factor on Xavier's initialization of the input weights.
    """

    def __init__(self, input_dim: int, width: int, gain: float = 1.0) -> None:
        super().__init__()
        self.input_weight = nn.Parameter(torch.empty(input_dim, 4 * width))
        self.weight = nn.Parameter(torch.empty(width, 4 * width))
        self.bias = nn.Parameter(torch.zeros(4 * width))
        for gate in self.input_weight.chunk(4, dim=-1):
            nn.init.xavier_uniform_(gate, gain)
        for square in self.weight.chunk(4, dim=-1):
            nn.init.orthogonal_(square)
        nn.init.ones_(self.bias[width : 2 * width])

    def project(
        self, inputs: Float[Tensor, "steps rows input_dim"]
    ) -> Float[Tensor, "steps rows four_widths"]:
        """The inputs' contribution to the gates, for all steps at once."""
        steps, rows, _ = inputs.shape
        flat = rearrange(inputs, "steps rows width -> (steps rows) width")
        gates = torch.addmm(self.bias, flat, self.input_weight)
        unfold = "(steps rows) width -> steps rows width"
        return rearrange(gates, unfold, steps=steps, rows=rows)

    def forward(
        self,
        gates: Float[Tensor, "steps rows four_widths"],
        hidden: Float[Tensor, "rows width"],
        cell: Float[Tensor, "rows width"],
    ) -> tuple[Float[Tensor, "steps rows width"], Float[Tensor, "steps rows width"]]:
        return lstm(gates, hidden, cell, self.weight)


class StackedLSTM(nn.Module):
    """Stacked LSTMs; dropout applies between layers, not to the recurrent state.

    Args:
        input_dim: width of the inputs.
        width: of every layer.
        num_layers: number of layers.
        dropout: dropout probability between layers, while training.

    >>> x = torch.randn(7, 2, 3)
    >>> outputs, state = StackedLSTM(3, 5, num_layers=2)(x, lengths=torch.tensor([7, 4]))
    >>> torch.equal(outputs[3, 1], state.hidden[-1, 1])
    True

    References:
        Zaremba, Sutskever & Vinyals. Recurrent Neural Network Regularization. 2014.
        https://arxiv.org/abs/1409.2329
    """

    def __init__(
        self, input_dim: int, width: int, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        input_dim = count("StackedLSTM", "input_dim", input_dim, least=1, hint="it is a width")
        width = count("StackedLSTM", "width", width, least=1, hint="it is the width of every layer")
        hint = "there is at least one layer"
        num_layers = count("StackedLSTM", "num_layers", num_layers, least=1, hint=hint)
        self.width = width
        upper = (LSTMLayer(width, width, STATES) for _ in range(num_layers - 1))
        self.layers: Any = nn.ModuleList([LSTMLayer(input_dim, width), *upper])
        self.dropout = Dropout(dropout)

    def forward(
        self,
        inputs: Float[Tensor, "steps rows input_dim"],
        state: LSTMState | None = None,
        lengths: Int[Tensor, " rows"] | None = None,
    ) -> tuple[Float[Tensor, "steps rows width"], LSTMState]:
        """The top layer's states after every step, and all layers' states after each row's last."""
        return self.advance(self.project(inputs), state, lengths)

    def project(
        self, inputs: Float[Tensor, "steps rows input_dim"]
    ) -> Float[Tensor, "steps rows four_widths"]:
        """The inputs' contribution to the gates of the first layer."""
        return self.layers[0].project(inputs)

    def advance(
        self,
        gates: Float[Tensor, "steps rows four_widths"],
        state: LSTMState | None = None,
        lengths: Int[Tensor, " rows"] | None = None,
    ) -> tuple[Float[Tensor, "steps rows width"], LSTMState]:
        """The same from the result of `project`."""
        if state is None:
            zeros = gates.new_zeros(len(self.layers), gates.shape[1], self.width)
            state = LSTMState(zeros, zeros)
        outputs, hidden, cell = gates, [], []
        memories = zip(self.layers, state.hidden, state.cell, strict=True)
        for number, (layer, *first) in enumerate(memories):
            if number:
                gates = layer.project(self.dropout(outputs))
            outputs, cells = layer(gates, *first)
            hidden.append(_last(outputs, first[0], lengths))
            cell.append(_last(cells, first[1], lengths))
        return outputs, LSTMState(torch.stack(hidden), torch.stack(cell))


def _last(
    states: Float[Tensor, "steps rows width"],
    first: Float[Tensor, "rows width"],
    lengths: Int[Tensor, " rows"] | None,
) -> Float[Tensor, "rows width"]:
    """Each row's state after its last step, the first state where it has none."""
    if lengths is None:
        return states[-1] if states.shape[0] else first
    if not states.shape[0]:
        return first
    step = rearrange((lengths - 1).clamp_min(0), "rows -> 1 rows 1")
    last = states.gather(0, step.expand(-1, -1, states.shape[2])).squeeze(0)
    return torch.where(rearrange(lengths > 0, "rows -> rows 1"), last, first)

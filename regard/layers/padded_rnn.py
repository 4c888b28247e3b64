"""PyTorch's recurrent layers over padded sequences, without packing."""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import dropout, linear
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regard._backends._bind import without_autocast
from regard._torch_private import is_open
from regard.layers._full_precision import without_mixed_precision
from regard.layers.steps import Tensors, over_steps


def padded_rnn(
    rnn: nn.LSTM | nn.GRU,
    x: Float[Tensor, "batch k_len embed_dim"],
    lengths: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch k_len width"]:
    """The states of a batch-first `nn.LSTM` or `nn.GRU`, unaffected by padding.

    A packed sequence keeps PyTorch from using its fused kernel on a CPU: an LSTM over documents
    takes seven to ten times as long, a GRU twice. Padding does not affect the forward direction;
    for the backward direction, each sequence is reversed within its own length. The states at
    padding are unspecified. A module that is no longer plain PyTorch (adapted, quantized, hooked)
    is called with a packed sequence.

    >>> rnn, x = nn.LSTM(3, 4, batch_first=True, bidirectional=True), torch.randn(2, 5, 3)
    >>> states = padded_rnn(rnn, x, torch.tensor([5, 2]))
    >>> torch.allclose(states[1:, :2], rnn(x[1:, :2])[0], atol=1e-6)
    True
    """
    if x.device.type == "cpu":
        # There PyTorch's LSTM fails under autocast on processors without bfloat16 arithmetic.
        (x,) = without_mixed_precision(next(rnn.parameters()), x)
        with without_autocast("cpu"):
            return _states(rnn, x, lengths)
    return _states(rnn, x, lengths)


def _states(rnn: nn.LSTM | nn.GRU, x: Tensor, lengths: Tensor | None) -> Tensor:
    if x.numel() == 0 or lengths is None:
        return rnn(x)[0] if x.numel() else x.new_zeros(*x.shape[:2], _width(rnn))
    if not _is_ordinary(rnn):
        return _packed(rnn, x, lengths)
    for layer in range(rnn.num_layers):
        if layer:
            x = dropout(x, rnn.dropout, rnn.training)
        ways = [_run(rnn, x, layer, 0)]
        if rnn.bidirectional:
            ways.append(_turned(_run(rnn, _turned(x, lengths), layer, 1), lengths))
        x = torch.cat(ways, dim=-1)
    return x


def _run(rnn: nn.LSTM | nn.GRU, x: Tensor, layer: int, way: int) -> Tensor:
    """One layer in one direction, from the first place to the last."""
    ending = f"l{layer}{'_reverse' if way else ''}"
    names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if rnn.bias else [])]
    weights = [getattr(rnn, f"{name}_{ending}") for name in names]
    if is_open(x.shape[1]):
        return _as_steps(rnn, x, weights)
    state = x.new_zeros(1, len(x), rnn.hidden_size)
    options = (rnn.bias, 1, 0.0, rnn.training, False, True)
    if isinstance(rnn, nn.LSTM):
        return torch.lstm(x, (state, state), weights, *options)[0]
    return torch.gru(x, state, weights, *options)[0]


def _as_steps(rnn: nn.LSTM | nn.GRU, x: Tensor, weights: list[Tensor]) -> Tensor:
    """The same, for an exported program: the definition."""
    of_input, of_state = weights[:2]
    bias, state_bias = weights[2:] if rnn.bias else (None, None)
    gates = linear(x, of_input, bias).transpose(0, 1)
    first = x.new_zeros(x.shape[0], rnn.hidden_size)

    def lstm_step(state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
        i, f, g, o = (inputs[0] + linear(state[0], of_state, state_bias)).chunk(4, dim=-1)
        cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        return (hidden, cell), (hidden,)

    def gru_step(state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
        r, z, n = inputs[0].chunk(3, dim=-1)
        of_r, of_z, of_n = linear(state[0], of_state, state_bias).chunk(3, dim=-1)
        update = (z + of_z).sigmoid()
        proposed = (n + (r + of_r).sigmoid() * of_n).tanh()
        hidden = proposed + update * (state[0] - proposed)
        return (hidden,), (hidden,)

    if isinstance(rnn, nn.LSTM):
        _, (states,) = over_steps(lstm_step, (first, first), (gates,))
    else:
        _, (states,) = over_steps(gru_step, (first,), (gates,))
    return states.transpose(0, 1)


def _turned(x: Tensor, lengths: Tensor) -> Tensor:
    """Each sequence from its last place to its first, padding where it is."""
    place = rearrange(torch.arange(x.shape[1], device=x.device), "k_len -> 1 k_len")
    end = rearrange(lengths, "batch -> batch 1")
    source = torch.where(place < end, end - 1 - place, place)
    source = rearrange(source, "batch k_len -> batch k_len 1")
    return x.gather(1, source.expand(-1, -1, x.shape[2]))


def _packed(rnn: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    # A sequence without a place is read as one with one; nobody looks at its state.
    packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), True, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0], True, total_length=x.shape[1])[0]


def _is_ordinary(rnn: nn.Module) -> bool:
    hooked = rnn._forward_hooks or rnn._forward_pre_hooks or rnn._backward_hooks
    return type(rnn) in (nn.LSTM, nn.GRU) and not hooked and not getattr(rnn, "proj_size", 0)


def _width(rnn: nn.LSTM | nn.GRU) -> int:
    return rnn.hidden_size * (2 if rnn.bidirectional else 1)

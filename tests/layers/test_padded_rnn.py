"""PyTorch's recurrent layers read each padded sequence as if it were alone."""

from typing import Any

import pytest
import torch
from torch import nn

from regard.layers.padded_rnn import padded_rnn

LENGTHS = (5, 2, 0, 4)
FORMS: list[dict[str, Any]] = [
    {},
    {"bidirectional": True},
    {"bidirectional": True, "num_layers": 2},
    {"bias": False},
]
every_form = pytest.mark.parametrize("form", FORMS)
both = pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])


def made(kind: Any, form: dict[str, Any]) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """A layer, and a ragged batch for it."""
    rnn = kind(3, 4, batch_first=True, dtype=torch.float64, **form)
    x = torch.randn(len(LENGTHS), max(LENGTHS), 3, dtype=torch.float64)
    return rnn, x, torch.tensor(LENGTHS)


@both
@every_form
def test_states_and_gradients_are_those_of_the_sequences_one_by_one(
    kind: Any, form: dict[str, Any]
) -> None:
    rnn, x, lengths = made(kind, form)
    states = padded_rnn(rnn, x, lengths)
    weights = list(rnn.parameters())
    real = torch.arange(x.shape[1]) < lengths[:, None]
    found = torch.autograd.grad(states[real].pow(3).sum(), weights)
    wanted = [torch.zeros_like(weight) for weight in weights]
    for row, length in enumerate(LENGTHS):
        if not length:
            continue
        alone = rnn(x[row : row + 1, :length])[0]
        torch.testing.assert_close(states[row, :length], alone[0])
        gradients = torch.autograd.grad(alone.pow(3).sum(), weights)
        wanted = [total + part for total, part in zip(wanted, gradients, strict=True)]
    torch.testing.assert_close(found, tuple(wanted))


@both
@every_form
def test_what_stands_in_the_padding_changes_nothing(kind: Any, form: dict[str, Any]) -> None:
    rnn, x, lengths = made(kind, form)
    real = torch.arange(x.shape[1]) < lengths[:, None]
    other = torch.where(real[..., None], x, 17.0)
    assert torch.equal(padded_rnn(rnn, x, lengths)[real], padded_rnn(rnn, other, lengths)[real])


@both
def test_a_layer_that_is_hooked_is_called(kind: Any) -> None:
    rnn, x, lengths = made(kind, {"bidirectional": True})
    wanted, calls = padded_rnn(rnn, x, lengths), []
    rnn.register_forward_hook(lambda *_: calls.append(1))
    found = padded_rnn(rnn, x, lengths)
    assert calls
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(found[row, :length], wanted[row, :length])


@both
def test_without_lengths_nothing_is_padded(kind: Any) -> None:
    rnn, x, _ = made(kind, {"bidirectional": True})
    full = torch.full((len(x),), x.shape[1])
    torch.testing.assert_close(padded_rnn(rnn, x), padded_rnn(rnn, x, full))
    assert padded_rnn(rnn, x[:, :0]).shape == (4, 0, 8) and padded_rnn(rnn, x[:0]).shape == (
        0,
        5,
        8,
    )


@both
def test_dropout_between_layers_acts_in_training_only(kind: Any) -> None:
    rnn, x, lengths = made(kind, {"num_layers": 2, "dropout": 0.5})
    one, other = padded_rnn(rnn, x, lengths), padded_rnn(rnn, x, lengths)
    assert not torch.equal(one, other)
    rnn.eval()
    assert torch.equal(padded_rnn(rnn, x, lengths), padded_rnn(rnn, x, lengths))

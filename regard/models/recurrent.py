"""PyTorch's recurrent layers, as initialized by the networks here."""

from typing import Any

import torch
from torch import nn


def recurrent(config: Any, input_dim: int) -> nn.LSTM | nn.GRU:
    """The layers of a configuration (`cell`, `hidden_dim`, `layers` ...), batch-first.

    >>> from regard.models.lstm import LSTMConfig
    >>> recurrent(LSTMConfig(vocab=9, classes=2, hidden_dim=5), input_dim=4)
    LSTM(4, 5, batch_first=True, bidirectional=True)
    """
    return (nn.LSTM if config.cell == "lstm" else nn.GRU)(
        input_dim,
        config.hidden_dim,
        config.layers,
        batch_first=True,
        bidirectional=config.bidirectional,
        dropout=config.dropout if config.layers > 1 else 0.0,
    )


@torch.no_grad()
def initialize(layers: nn.LSTM | nn.GRU) -> None:
    """Orthogonal recurrent weights, and forget gates that start open."""
    for name, weight in layers.named_parameters():
        if "weight_hh" in name:
            for square in weight.chunk(weight.shape[0] // weight.shape[1]):
                nn.init.orthogonal_(square)
        elif "weight_ih" in name:
            nn.init.xavier_uniform_(weight)
        else:
            weight.zero_()
            if isinstance(layers, nn.LSTM) and "bias_ih" in name:
                weight.chunk(4)[1].fill_(1.0)

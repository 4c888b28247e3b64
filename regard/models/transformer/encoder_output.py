"""The base of classifier and tagger: a Transformer encoder, and one linear layer."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from regard.models.attention import Attends, maker, named
from regard.models.transformer.assembly import (
    encoder,
    first_attend,
    last_norm,
    output_layer,
    token_embedding,
)
from regard.models.transformer.config import (
    TransformerClassifierConfig,
    TransformerTaggerConfig,
)

EncoderConfig = TransformerClassifierConfig | TransformerTaggerConfig


class EncoderWithOutput(nn.Module):
    """The base of networks with an encoder and a linear output layer with a bias.

    Args:
        attend: replaces the attention parts named in the configuration.
    """

    def __init__(self, config: EncoderConfig, attend: Attends = None) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.source = token_embedding(config.vocab, config)
        self.encoder = encoder(config, config.layers, make)
        self.encoder_norm = last_norm(config)
        self.output = output_layer(config.embed_dim, config.classes)
        self.output.bias = nn.Parameter(torch.zeros(config.classes))
        attention = named(config.attention, config.dims, first_attend(self.encoder))
        self.config: Any = replace(config, attention=attention)

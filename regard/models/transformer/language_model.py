"""A decoder-only Transformer: a language model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from regard.layers import Past
from regard.masks import Causal
from regard.models.attention import Attends, maker, named
from regard.models.continuing import Continuing, only_before
from regard.models.transformer.assembly import (
    encoder,
    first_attend,
    last_norm,
    output_layer,
    token_embedding,
)
from regard.models.transformer.config import LearnedPositions, TransformerLMConfig
from regard.sequences import Packed, Sequences, texts


class TransformerLM(Continuing):
    """A causal language model: each token attends to itself and the preceding ones.

        x <- norm(x + attend(x, x)), causal;  x <- norm(x + FF(x));  p(next) = softmax(W x)

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each.

    >>> import torch
    >>> config = TransformerLMConfig(vocab=9, embed_dim=8, ff_dim=16, layers=2)
    >>> TransformerLM(config)(torch.tensor([[4, 8, 5], [6, 1, 2]])).shape
    torch.Size([2, 3, 9])

    References:
        Radford, Narasimhan, Salimans & Sutskever. Improving Language Understanding by Generative
        Pre-Training. 2018.
        https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf
    """

    config_type: ClassVar[type[TransformerLMConfig]] = TransformerLMConfig

    def __init__(self, config: TransformerLMConfig, attend: Attends = None) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.embedding = token_embedding(config.vocab, config)
        self.decoder = encoder(config, config.layers, make)
        self.decoder_norm = last_norm(config)
        tied_to = None if config.tied == "none" else self.embedding.tokens
        self.output = output_layer(config.embed_dim, config.vocab, tied_to)
        attention = named(config.attention, config.dims, first_attend(self.decoder))
        self.config = replace(config, attention=attention)

    def forward(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of the token after each; zeros at padding."""
        return texts(tokens).zero_padding(self.output(self.features(tokens)))

    def features(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "batch q_len width"]:
        """The input of the output layer."""
        source = texts(tokens)
        x = self.embedding.read(source)
        return self.decoder_norm(self.decoder(x, only_before(source), **self._told(source)))

    def weights(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len q_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        source = texts(tokens)
        x = self.embedding.read(source)
        return self.decoder.weights(x, only_before(source), **self._told(source))

    def features_after(
        self,
        tokens: Int[Tensor, "rows new"],
        caches: Sequence[Past],
        positions: Int[Tensor, "rows new"] | None = None,
    ) -> Float[Tensor, "rows new width"]:
        """What the output layer reads for tokens behind what the caches hold."""
        x = self.embedding(tokens, offset=caches[0].length, positions=positions)
        told = (
            {} if positions is None or not self.config.tells_the_step else {"positions": positions}
        )
        mask = Causal() if tokens.shape[1] > 1 else None
        return self.decoder_norm(self.decoder(x, mask, caches=caches, **told))

    @property
    def longest(self) -> int | None:
        """The maximum number of positions; None if there is no limit."""
        learned = isinstance(self.config.positions, LearnedPositions)
        return self.config.max_length if learned else None

    def _told(self, source: Sequences | Packed) -> dict[str, Tensor]:
        """Where the tokens stand, for blocks that add it themselves and cannot count it."""
        counts = self.config.tells_the_step and isinstance(source, Packed)
        return {"positions": source.positions} if counts else {}

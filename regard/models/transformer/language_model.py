"""The decoder of a Transformer alone: a language model."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import KVCache
from regard.masks import Causal
from regard.models.attention import Attends, maker, named
from regard.models.transformer.assembly import (
    encoder,
    first_attend,
    last_norm,
    output_layer,
    token_embedding,
)
from regard.models.transformer.config import LearnedPositions, TransformerLMConfig


@dataclass(frozen=True, eq=False)
class Prompt:
    """Texts of one length to continue; decoding begins with their last token, `last`."""

    tokens: Int[Tensor, "batch len"]

    @property
    def last(self) -> Int[Tensor, " batch"]:
        """The last token of each."""
        return self.tokens[:, -1]


@dataclass(frozen=True, eq=False)
class Continued:
    """What was read and written so far."""

    tokens: Int[Tensor, "rows len"]
    caches: tuple[KVCache, ...]


class TransformerLM(nn.Module):
    """Continue a text: each token attends to itself and those before it.

        x <- norm(x + attend(x, x)), causal;  x <- norm(x + FF(x));  p(next) = softmax(W x)

    Args:
        attend: what every attention is made of instead of the parts that the configuration names;
            one `Attend` is shared by all layers, a function makes one for each.

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

    def forward(self, tokens: Int[Tensor, "batch q_len"]) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of the token after each."""
        return self.output(self.features(tokens))

    def features(self, tokens: Int[Tensor, "batch q_len"]) -> Float[Tensor, "batch q_len width"]:
        """What the output layer reads."""
        return self.decoder_norm(self.decoder(self.embedding(tokens), Causal()))

    @torch.no_grad()
    def attention_weights(
        self, tokens: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len q_len"]:
        """How much each token attended to each: the last layer's mean over its heads."""
        last = self.weights(tokens)[-1]
        return reduce(last, "batch heads q_len k_len -> batch q_len k_len", "mean")

    def weights(
        self, tokens: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "layers batch heads q_len q_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.decoder.weights(self.embedding(tokens), Causal())

    def encode(self, tokens: Int[Tensor, "batch len"]) -> Prompt:
        """A text to continue. Raises `ValueError` when it has no token."""
        if tokens.shape[1] == 0:
            raise ValueError("a text to continue must have at least one token, got none")
        return Prompt(tokens)

    def start(self, prompt: Prompt, beams: int) -> Continued:
        """The state in which all of the prompt but its last token has been read."""
        tokens = repeat(prompt.tokens[:, :-1], "batch len -> (batch beams) len", beams=beams)
        rows = torch.arange(len(prompt.tokens), device=tokens.device).repeat_interleave(beams)
        read = self._read(prompt.tokens[:, :-1])
        return Continued(tokens, tuple(cache.reorder(rows) for cache in read.caches))

    def step(
        self, prompt: Prompt, state: Continued, token: Int[Tensor, " rows"]
    ) -> tuple[Float[Tensor, "rows vocab"], Continued]:
        """Logits of what follows `token`, and the state after it; `state` stays valid.

        When learned positions run out, the older half of the text is dropped.
        """
        if state.caches[0].length == self.longest:
            state = self._read(state.tokens)
        caches = tuple(cache.copy() for cache in state.caches)
        rows = rearrange(token, "rows -> rows 1")
        x = self.decoder(self.embedding(rows, offset=caches[0].length), caches=caches)
        x = rearrange(self.decoder_norm(x), "rows 1 width -> rows width")
        return self.output(x), Continued(torch.cat([state.tokens, rows], dim=1), caches)

    @property
    def longest(self) -> int | None:
        """The greatest number of tokens that have a position; None where there is no limit."""
        learned = isinstance(self.config.positions, LearnedPositions)
        return self.config.max_length if learned else None

    def _read(self, tokens: Int[Tensor, "rows len"]) -> Continued:
        """The state after these tokens, or the last half of what positions there are."""
        longest = self.longest
        if longest is not None and tokens.shape[1] >= longest:
            tokens = tokens[:, tokens.shape[1] - longest // 2 :]
        caches = tuple(KVCache() for _ in self.decoder)
        if tokens.shape[1]:
            self.decoder(self.embedding(tokens), Causal(), caches=caches)
        return Continued(tokens, caches)

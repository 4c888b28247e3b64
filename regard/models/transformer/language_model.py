"""The decoder of a Transformer alone: a language model."""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import Attend, Growing
from regard.masks import Causal
from regard.models.beams import rows_of_beams, rows_of_sentences
from regard.models.transformer.assembly import Embedding, encoder, last_norm, output_layer
from regard.models.transformer.config import TransformerLMConfig


@dataclass(frozen=True, eq=False)
class Prompt:
    """Texts of one length to continue; a search begins with their last token, `last`."""

    tokens: Int[Tensor, "batch len"]

    @property
    def batch(self) -> int:
        """How many texts there are."""
        return len(self.tokens)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.tokens.device

    @property
    def last(self) -> Int[Tensor, " batch"]:
        """The last token of each."""
        return self.tokens[:, -1]


@dataclass(frozen=True, eq=False)
class Written:
    """What was read and written so far, for `beams` beams a text."""

    tokens: Int[Tensor, "rows len"]
    caches: tuple[Growing, ...]
    beams: int

    def at(self, rows: Int[Tensor, " some"], beams: int) -> "Written":
        """The same for other rows."""
        caches = tuple(cache.reorder(rows) for cache in self.caches)
        return Written(self.tokens[rows], caches, beams)


class TransformerLM(nn.Module):
    """Continue a text: each token looks at itself and those before it.

        x <- norm(x + attend(x, x)), causal;  x <- norm(x + FF(x));  p(next) = softmax(W x)

    Args:
        attend: score, mask, normalizer and so on of every attention, copied for each.

    >>> config = TransformerLMConfig(vocab=9, embed_dim=8, num_heads=2, ff_dim=16, layers=2)
    >>> TransformerLM(config)(torch.tensor([[4, 8, 5], [6, 1, 2]])).shape
    torch.Size([2, 3, 9])

    References:
        Radford, Narasimhan, Salimans & Sutskever. Improving Language Understanding by Generative
        Pre-Training. 2018.
        https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf
    """

    def __init__(self, config: TransformerLMConfig, attend: Attend | None = None) -> None:
        super().__init__()
        self.config = config
        self.embedding = Embedding(config.vocab, config)
        self.decoder = encoder(config, config.layers, attend)
        self.decoder_norm = last_norm(config)
        tied_to = None if config.tied == "none" else self.embedding.tokens
        self.output = output_layer(config.embed_dim, config.vocab, tied_to)

    def forward(self, tokens: Int[Tensor, "batch q_len"]) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of the token after each."""
        return self.output(self.features(tokens))

    def features(self, tokens: Int[Tensor, "batch q_len"]) -> Float[Tensor, "batch q_len width"]:
        """What the output layer reads."""
        return self.decoder_norm(self.decoder(self.embedding(tokens), Causal()))

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

    def start(self, prompt: Prompt, beams: int) -> Written:
        """The state in which all of the prompt but its last token has been read."""
        tokens = repeat(prompt.tokens[:, :-1], "batch len -> (batch beams) len", beams=beams)
        rows = torch.arange(prompt.batch, device=tokens.device).repeat_interleave(beams)
        read = self._read(prompt.tokens[:, :-1], 1)
        caches = tuple(cache.reorder(rows) for cache in read.caches)
        return Written(tokens, caches, beams)

    def step(
        self, prompt: Prompt, state: Written, token: Int[Tensor, "batch beams"]
    ) -> tuple[Float[Tensor, "batch beams vocab"], Written]:
        """Logits of what follows `token`, and the state after it; `state` stays valid.

        When learned positions run out, the older half of the text is forgotten.
        """
        if state.caches[0].length == self.config.max_length:
            state = self._read(state.tokens, state.beams)
        caches = tuple(cache.copy() for cache in state.caches)
        rows = rearrange(token, "batch beams -> (batch beams) 1")
        x = self.decoder(self.embedding(rows, offset=caches[0].length), caches=caches)
        x = rearrange(self.decoder_norm(x), "(b beams) 1 width -> b beams width", b=len(token))
        tokens = torch.cat([state.tokens, rows], dim=1)
        return self.output(x), Written(tokens, caches, state.beams)

    def reorder(self, state: Written, parent: Int[Tensor, "batch beams"]) -> Written:
        """The state in which each beam continues the beam `parent` of its text."""
        return state.at(rows_of_beams(parent, state.beams), parent.shape[1])

    def select(
        self, prompt: Prompt, state: Written, sentences: Int[Tensor, " some"]
    ) -> tuple[Prompt, Written]:
        """The same for some of the texts, when the others are written."""
        rows = rows_of_sentences(sentences, state.beams)
        return Prompt(prompt.tokens[sentences]), state.at(rows, state.beams)

    def _read(self, tokens: Int[Tensor, "rows len"], beams: int) -> Written:
        """The state after these tokens, or the last half of what positions there are."""
        longest = self.config.max_length
        if longest is not None and tokens.shape[1] >= longest:
            tokens = tokens[:, tokens.shape[1] - longest // 2 :]
        caches = tuple(Growing() for _ in self.decoder)
        if tokens.shape[1]:
            self.decoder(self.embedding(tokens), Causal(), caches=caches)
        return Written(tokens, caches, beams)

"""A decoder with a language-modeling head: the base of GPT's and LLaMA's language models."""

from collections.abc import Sequence
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import Past
from regard.models.attention import Attends
from regard.models.continuing import Continuing
from regard.models.first_weights import start_normal
from regard.sequences import Packed, Sequences


class BodyLM(Continuing):
    """The base: `p(next) = softmax(W body(x))`, with W that of the embedding if tied.

    A family's body takes its configuration, returns the states of tokens (`forward`), of those
    after the cached ones (`after`), and its `weights`; its layers are its `decoder`.
    """

    body_type: ClassVar[Any]
    config_type: ClassVar[Any]

    def __init__(self, config: Any, attend: Attends = None) -> None:
        super().__init__()
        self.body = self.body_type(config, attend)
        self.config: Any = self.body.config
        self.output = nn.Linear(config.embed_dim, config.vocab, bias=False)
        start_normal(self.output, config.init_std)
        if config.tied:
            self.output.weight = self.body.embedding.tokens.weight

    def forward(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of the token after each; zeros at padding."""
        return self.output(self.features(tokens))

    def features(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "batch q_len width"]:
        """The input of the output layer."""
        return self.body(tokens)

    def features_after(
        self,
        tokens: Int[Tensor, "rows new"],
        caches: Sequence[Past],
        positions: Int[Tensor, "rows new"] | None = None,
    ) -> Float[Tensor, "rows new width"]:
        """The input of the output layer for tokens after those in the caches."""
        return self.body.after(tokens, caches, positions)

    @property
    def decoder(self) -> Any:
        """The layers, one cache each."""
        return self.body.decoder

    @property
    def longest(self) -> int:
        """The maximum number of tokens attended to."""
        return int(self.config.max_length)

    def weights(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.body.weights(tokens)

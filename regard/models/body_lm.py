"""A decoder's body with an output layer upon it: what GPT and LLaMA say the next token with."""

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
    """The base: `p(next) = softmax(W body(x))`, with W the embedding's where it is tied.

    A family's body takes its configuration, gives the states of tokens (`forward`), of those behind
    what caches hold (`after`), and its `weights`; its layers are its `decoder`.
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
        """Logits of the token after each; zeros where there is none."""
        return self.output(self.features(tokens))

    def features(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "batch q_len width"]:
        """What the output layer reads."""
        return self.body(tokens)

    def features_after(
        self,
        tokens: Int[Tensor, "rows new"],
        caches: Sequence[Past],
        positions: Int[Tensor, "rows new"] | None = None,
    ) -> Float[Tensor, "rows new width"]:
        """What the output layer reads for tokens behind what the caches hold."""
        return self.body.after(tokens, caches, positions)

    @property
    def decoder(self) -> Any:
        """The layers, each of which has a cache."""
        return self.body.decoder

    @property
    def longest(self) -> int:
        """The greatest number of tokens that are attended to."""
        return int(self.config.max_length)

    def weights(
        self, tokens: Int[Tensor, "batch q_len"] | Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        return self.body.weights(tokens)

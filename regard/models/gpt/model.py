"""GPT (Radford et al., 2018, 2019; Brown et al., 2020): a decoder-only Transformer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import (
    ACTIVATIONS,
    Attend,
    EncoderBlock,
    FeedForward,
    Past,
    PostNorm,
    PreNorm,
    SelfAttention,
    Stack,
    TokenEmbedding,
    Windowed,
)
from regard.layers.known_tokens import require_known
from regard.layers.part_module import unwrapped
from regard.masks import Causal
from regard.models.attention import Attends, maker, named
from regard.models.continuing import only_before
from regard.models.first_weights import start_normal
from regard.models.gpt.config import GptConfig
from regard.positions import Learned
from regard.scores import Dot, ScaledDot
from regard.sequences import Packed, Sequences, texts


class Gpt(nn.Module):
    """A causal decoder: each token sees itself and the preceding ones.

        x = E[token] + P[position]
        GPT-2:  x <- x + attend(norm(x), norm(x));  x <- x + W_2 gelu(W_1 norm(x));  norm at last
        GPT-1:  x <- norm(x + attend(x, x));  x <- norm(x + W_2 gelu(W_1 x))
        GPT-3:  as GPT-2, and every second layer sees a band of the text

    Batches may be padded or packed, or plain ids; packed ones spend nothing on padding.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each.

    >>> config = GptConfig(vocab=9, embed_dim=8, num_heads=2, layers=2, max_length=5)
    >>> model, read = Gpt(config).eval(), Sequences.of([[4, 8, 5], [6]])
    >>> model(read).shape, model(Packed.of(read)).shape, model.summary(model(read), read).shape
    (torch.Size([2, 3, 8]), torch.Size([1, 4, 8]), torch.Size([2, 8]))

    References:
        Radford, Wu, Child, Luan, Amodei & Sutskever. Language Models are Unsupervised Multitask
        Learners. 2019.
        https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
    """

    config_type: ClassVar[type[GptConfig]] = GptConfig

    def __init__(self, config: GptConfig, attend: Attends = None, summarizes: bool = True) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.embedding = TokenEmbedding(
            config.vocab,
            config.embed_dim,
            positions=Learned(config.max_length, config.embed_dim),
            dropout=config.embed_dropout,
        )
        first = make()
        blocks = [_block(config, n, make() if n else first) for n in range(config.layers)]
        self.decoder = Stack(blocks)
        pre = config.norm == "pre"
        self.norm = nn.LayerNorm(config.embed_dim, config.norm_eps) if pre else nn.Identity()
        self.config: Any = replace(config, attention=named(config.attention, config.dims, first))
        start_normal(self, config.init_std)
        if pre:
            self._start_small()

    def forward(
        self, source: Int[Tensor, "batch len"] | Sequences | Packed
    ) -> Float[Tensor, "batch len embed_dim"]:
        """The final state of each token; zeros at padding."""
        source = texts(source)
        x = self.decoder(self._embedded(source), only_before(source))
        return source.zero_padding(self.norm(x))

    def after(
        self,
        tokens: Int[Tensor, "rows new"],
        caches: Sequence[Past],
        positions: Int[Tensor, "rows new"] | None = None,
    ) -> Float[Tensor, "rows new embed_dim"]:
        """The same for tokens that follow those in the caches, and are appended to them.

        Args:
            positions: the position of each token in its own text, if not the same for all.
        """
        require_known(tokens, self.config.vocab)
        x = self.embedding(tokens, offset=caches[0].length, positions=positions)
        mask = Causal() if tokens.shape[1] > 1 else None
        return self.norm(self.decoder(x, mask, caches=caches))

    def summary(
        self, states: Float[Tensor, "batch len embed_dim"], source: Sequences | Packed
    ) -> Float[Tensor, "rows embed_dim"]:
        """One vector per text: that of its last token, the only one that has seen all of it."""
        return source.last(states)

    def summarizing(
        self, x: Float[Tensor, "batch len width"], source: Sequences
    ) -> Float[Tensor, "batch width"]:
        """The index, in each text, of the token that `summary` reads."""
        return source.last(x)

    def states(self, source: Int[Tensor, "batch len"] | Sequences | Packed) -> list[Tensor]:
        """The embedded tokens, then the output of each layer; the last is normalized."""
        source = texts(source)
        x = self._embedded(source)
        *between, last = self.decoder.states(x, only_before(source))
        return [x, *between, self.norm(last)]

    def weights(
        self, source: Int[Tensor, "batch len"] | Sequences | Packed
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the self-attention, in every layer and head."""
        source = texts(source)
        return self.decoder.weights(self._embedded(source), only_before(source))

    def _embedded(self, source: Sequences | Packed) -> Tensor:
        require_known(source.ids, self.config.vocab)
        return self.embedding.read(source)

    def _start_small(self) -> None:
        """What is added to the sum of all layers starts the smaller, the more layers there are."""
        std = self.config.init_std / (2 * self.config.layers) ** 0.5
        for block in self.decoder:
            block = block.block if isinstance(block, Windowed) else block
            for layer in (block.attention.heads.output, block.feed_forward.output):
                nn.init.normal_(layer.weight, std=std)


def _block(config: GptConfig, number: int, attend: Attend) -> Any:
    if config.scale_by_layer and number:
        attend = _divided(attend, number + 1, config.dims.query_dim)
    kind: Callable[..., Any] = PreNorm if config.norm == "pre" else PostNorm
    block = EncoderBlock(
        SelfAttention(config.embed_dim, config.heads, attend),
        FeedForward(config.embed_dim, config.hidden_dim, ACTIVATIONS[config.activation]),
        lambda: kind(nn.LayerNorm(config.embed_dim, config.norm_eps), config.dropout),
    )
    return block if config.band is None or number % 2 == 0 else Windowed(block, config.band)


def _divided(attend: Attend, divisor: int, head_dim: int) -> Attend:
    """The same operator, its scores divided."""
    score = unwrapped(attend.score)
    if not isinstance(score, (Dot, ScaledDot)):
        raise ValueError(
            f"scale_by_layer divides dot products, but attention.score is {score}; set it to False"
        )
    factor = 1.0 if isinstance(score, Dot) else score.factor(head_dim)
    return Attend(
        ScaledDot(factor / divisor),
        unwrapped(attend.score_mod),
        unwrapped(attend.mask),
        unwrapped(attend.normalizer),
        attend.dropout,
        attend.backend,
    )

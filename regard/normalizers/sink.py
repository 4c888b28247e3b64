"""Softmax with an extra key that has a learned score and no value."""

from functools import partial
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard._numbers import count
from regard._pairwise import Count
from regard.normalizers._closed import close, in_dtype_of


class Sink(nn.Module):
    """Attention sinks: each head may put weight on nothing, by its learned score.

        weights_j = exp(scores_j) / (exp(sink_h) + sum_i exp(scores_i))

    This is the gpt-oss form: one number per head, never masked. The paper's sinks are tokens with
    keys and values of their own. `sink` is initialized to 0, which is `softmax_one`; at -inf it
    is softmax. A row without a permitted key gives zeros and no gradient to the sink.
    Raises ValueError when `num_heads` is negative or the scores have a different number of heads.

    Example:
        >>> normalizer = Sink(num_heads=2)
        >>> normalizer(torch.zeros(1, 2, 1, 3))[0, 0, 0]
        tensor([0.2500, 0.2500, 0.2500], grad_fn=<SelectBackward0>)

    References:
        Guangxuan Xiao, Yuandong Tian, Beidi Chen, Song Han, Mike Lewis. Efficient Streaming
        Language Models with Attention Sinks. 2023. https://arxiv.org/abs/2309.17453
        OpenAI. gpt-oss-120b & gpt-oss-20b Model Card. 2025. https://arxiv.org/abs/2508.10925
    """

    def __init__(self, num_heads: Count) -> None:
        super().__init__()
        num_heads = count("Sink", "num_heads", num_heads, least=0, hint="each head has a sink")
        self.num_heads = num_heads
        self.sink = nn.Parameter(torch.zeros(num_heads))

    def extra_repr(self) -> str:
        """The number of heads."""
        return f"num_heads={len(self.sink)}"

    def check(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch kv_heads k_len key_dim"],
    ) -> None:
        """Raise ValueError when the query has a different number of heads."""
        if len(self.sink) != query.shape[1]:
            raise ValueError(
                f"Sink has num_heads={len(self.sink)}, but query has {query.shape[1]} heads; "
                "build it for as many"
            )

    def at(self, heads: Any, rows: Any) -> "partial[Tensor]":
        """The same normalizer for some heads and query rows."""
        return partial(self._weigh, self.sink[heads])

    def forward(
        self,
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows k_len"]:
        """Weights of these scores over the permitted keys."""
        return self._weigh(self.sink, scores, where)

    @staticmethod
    def _weigh(sink: Tensor, scores: Tensor, where: Tensor | None = None) -> Tensor:
        filled, closed = close(scores, where)
        sink = rearrange(sink.to(filled.dtype), "heads -> heads 1 1")
        with_sink = torch.cat([filled, sink.expand(*filled.shape[:-1], 1)], dim=-1)
        weights = torch.softmax(with_sink, dim=-1)[..., :-1]
        return in_dtype_of(scores, weights.masked_fill(closed, 0.0))

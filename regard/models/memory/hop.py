"""One look at the memory: what in it is like the state, and what stands there."""

from typing import Any, Literal

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._typing import Normalizer, Score
from regard.layers.choice import Choice, draw
from regard.layers.part_module import own, unwrapped
from regard.masks import Padding
from regard.normalizers import GumbelSoftmax, hard, softmax
from regard.normalizers.unnormalized import unnormalized

Memories = Float[Tensor, "batch 1 sentences embed_dim"]


class Hop(nn.Module):
    """Attention from the state to the sentences, soft or hard, one operator call.

    Args:
        score: how alike are state and sentence?
        normalizer: scores to weights, of a soft attention.
        reads: `soft` sums all sentences; `hard` reads the likeliest, and while it learns a drawn
            one.
        estimator: what teaches a hard attention, `reinforce` or `gumbel`.
    """

    def __init__(
        self,
        score: Score,
        normalizer: Normalizer,
        reads: Literal["soft", "hard"],
        estimator: Literal["reinforce", "gumbel"],
    ) -> None:
        super().__init__()
        self.score: Any = own(score)
        self.normalizer: Any = own(normalizer)
        self.reads, self.estimator = reads, estimator

    def forward(
        self,
        state: Float[Tensor, "batch embed_dim"],
        key: Memories,
        value: Memories,
        mask: Padding,
        easy: bool = False,
    ) -> tuple[Float[Tensor, "batch embed_dim"], Choice | None]:
        """What is found, and what was drawn for it where that is learned from.

        Args:
            easy: soft attention without its normalizer, or hard attention as if it were soft.
        """
        query = rearrange(state, "batch dim -> batch 1 1 dim")
        score, normalizer = unwrapped(self.score), self._normalizer(easy)
        if normalizer is not None:
            found = attention(query, key, value, score=score, mask=mask, normalizer=normalizer)
            return rearrange(found, "batch 1 1 dim -> batch dim"), None
        likely = attention_weights(query, key, score=score, mask=mask)
        weights, choice = draw(rearrange(likely, "batch 1 1 sentences -> batch 1 sentences"))
        found = weights @ rearrange(value, "batch 1 sentences dim -> batch sentences dim")
        return rearrange(found, "batch 1 dim -> batch dim"), choice

    def weights(
        self, state: Float[Tensor, "batch embed_dim"], key: Memories, mask: Padding
    ) -> Float[Tensor, "batch sentences"]:
        """How much each sentence counts when nothing is drawn."""
        weights = attention_weights(
            rearrange(state, "batch dim -> batch 1 1 dim"),
            key,
            score=unwrapped(self.score),
            mask=mask,
            normalizer=hard if self.reads == "hard" else unwrapped(self.normalizer),
        )
        return rearrange(weights, "batch 1 1 sentences -> batch sentences")

    def _normalizer(self, easy: bool) -> Normalizer | None:
        """Scores to weights; None where a sentence is drawn."""
        if self.reads == "soft":
            return unnormalized if easy else unwrapped(self.normalizer)
        if easy:
            return softmax
        if not self.training:
            return hard
        return GumbelSoftmax(hard=True) if self.estimator == "gumbel" else None

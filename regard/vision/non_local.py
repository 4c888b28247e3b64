"""The non-local block: every place attends to all places."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._backends._weights import Chosen
from regard._typing import Normalizer, Score
from regard.normalizers import divide_by_count, softmax
from regard.scores import ConcatReLU, Dot, ScaledDot
from regard.vision._checks import (
    hidden_channels,
    require_choice,
    require_counts,
    require_flag,
    require_maps,
    require_values,
)
from regard.vision._rows import map_of, one_head, rows_of

PAIRS = ("embedded_gaussian", "gaussian", "dot", "concatenation")
VARIANTS = ("official", "paper")


class NonLocal(nn.Module):
    """A place attends to every place, weighted by a pairwise function.

        y_i = Σ_j f(x_i, x_j) g(x_j) / C(x)        output = x + norm(W_z y)

        gaussian             f = exp(x_i · x_j)         C = Σ_j f
        embedded_gaussian    f = exp(θ(x_i) · φ(x_j))   C = Σ_j f
        dot                  f = θ(x_i) · φ(x_j)        C = N
        concatenation        f = relu(w · [θ(x_i); φ(x_j)])    C = N

    θ, φ, g and W_z are linear in the channels of a place, so that maps may have any size and
    number of spatial dimensions. The matrix of all pairs is never materialized: softmax runs in a
    fused kernel, the dot product of N² pairs becomes one of `inner²` sums, concatenation runs in
    chunks. φ has no bias where softmax follows, which would cancel it.

    Args:
        pair: the pairwise function f.
        reduction: the inner width is `channels / reduction`, at least one.
        subsample: take keys and values from maps max-pooled by two in height and width.
        norm: a batch norm after W_z, whose scale starts at zero; without it, W_z does.
        variant: the authors' code, and so the published weights, divides θ·φ by the square root of
            the inner width ("embedded_gaussian") and pools before φ and g; the paper does not
            divide, and pools after them.

    Raises:
        ValueError: an unknown option, a count below 1, maps with another number of channels, or a
            batch of one value per channel in training.

    Example:
        >>> import torch
        >>> block = NonLocal(32)
        >>> x = torch.randn(2, 32, 7, 5)
        >>> torch.equal(block(x), x)
        True
        >>> block.weights(x).shape, block.weights(x, rows=[0, -1]).shape
        (torch.Size([2, 1, 35, 35]), torch.Size([2, 1, 2, 35]))

    References:
        Wang, Girshick, Gupta, He. Non-local Neural Networks. 2018. https://arxiv.org/abs/1711.07971
    """

    starts_as_identity = True

    def __init__(
        self,
        channels: int,
        pair: Literal[
            "embedded_gaussian", "gaussian", "dot", "concatenation"
        ] = "embedded_gaussian",
        reduction: int = 2,
        subsample: bool = False,
        norm: bool = True,
        variant: Literal["official", "paper"] = "official",
    ) -> None:
        super().__init__()
        require_counts("NonLocal", channels=channels, reduction=reduction)
        require_choice("NonLocal", "pair", pair, PAIRS)
        require_choice("NonLocal", "variant", variant, VARIANTS)
        require_flag("NonLocal", "subsample", subsample)
        require_flag("NonLocal", "norm", norm)
        self.channels, self.pair, self.reduction = channels, pair, reduction
        self.subsample, self.variant = subsample, variant
        inner = hidden_channels(channels, reduction)
        if pair != "gaussian":
            self.theta = nn.Linear(channels, inner)
            self.phi = nn.Linear(channels, inner, bias=pair != "embedded_gaussian")
        self.g = nn.Linear(channels, inner)
        self.out = nn.Linear(inner, channels, bias=not norm)
        self.batch_norm = nn.BatchNorm1d(channels) if norm else None
        self.score = _score(pair, inner, variant)
        self._start()

    @property
    def norm(self) -> bool:
        return self.batch_norm is not None

    def _start(self) -> None:
        for layer in self.children():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.out.weight if self.batch_norm is None else self.batch_norm.weight)

    def weights(
        self, x: Float[Tensor, "batch channels *places"], rows: Chosen = None
    ) -> Float[Tensor, "batch 1 some_places keys"]:
        """`f(x_i, x_j) / C(x)` of all places i, or of those in `rows`."""
        require_maps("NonLocal", x, self.channels)
        normalizer = _normalizer(self.pair)
        query, key = self._query(x), self._key(x)
        return attention_weights(query, key, score=self.score, normalizer=normalizer, rows=rows)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        require_maps("NonLocal", x, self.channels)
        if self.batch_norm is not None:
            require_values("NonLocal", self.batch_norm, x)
        query, key, value = self._query(x), self._key(x), self._pooled(x, self.g)
        y = attention(query, key, value, score=self.score, normalizer=_normalizer(self.pair))
        z = map_of(self.out(y.squeeze(1)), x)
        if self.batch_norm is not None:
            z = self.batch_norm(z.flatten(2)).reshape(z.shape)
        return x + z

    def _query(self, x: Tensor) -> Tensor:
        rows = rows_of(x)
        return one_head(rows if self.pair == "gaussian" else self.theta(rows))

    def _key(self, x: Tensor) -> Tensor:
        return self._pooled(x, None if self.pair == "gaussian" else self.phi)

    def _pooled(self, x: Tensor, layer: nn.Module | None) -> Tensor:
        """What a layer makes of each place, pooled before or behind it."""
        if self.subsample and (self.variant == "official" or layer is None):
            x = halved(x)
        rows = rows_of(x) if layer is None else layer(rows_of(x))
        if self.subsample and self.variant == "paper" and layer is not None:
            rows = rows_of(halved(map_of(rows, x)))
        return one_head(rows)

    def extra_repr(self) -> str:
        more = (f"pair={self.pair!r}", f"reduction={self.reduction}", f"variant={self.variant!r}")
        return ", ".join((str(self.channels), *more, f"subsample={self.subsample}"))


def halved(x: Float[Tensor, "batch channels *places"]) -> Float[Tensor, "batch channels *fewer"]:
    """2 × 2 max pooling of height and width; frames are kept, and so is an axis of one."""
    sizes = x.shape[2:]
    steps = [1 if size == 1 or (len(sizes) == 3 and n == 0) else 2 for n, size in enumerate(sizes)]
    if len(sizes) == 1:  # pooling of one dimension would bind an exported graph to a length
        return F.max_pool2d(x.unsqueeze(3), (*steps, 1)).squeeze(3)
    if len(sizes) > 3:
        raise ValueError(
            f"NonLocal pools maps of at most three kinds of places, got {[*x.shape]}: say "
            "subsample=False"
        )
    return F.max_pool2d(x, steps) if len(sizes) == 2 else F.max_pool3d(x, steps)


def _score(pair: str, inner: int, variant: str) -> Score:
    if pair == "embedded_gaussian" and variant == "official":
        return ScaledDot()
    return ConcatReLU(inner, inner) if pair == "concatenation" else Dot()


def _normalizer(pair: str) -> Normalizer:
    return softmax if pair.endswith("gaussian") else divide_by_count

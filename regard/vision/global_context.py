"""Global context: one vector, pooled by attention, is added to every place."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import hidden_channels, require_choice, require_counts, require_maps
from regard.vision._maps import at_each_place, over_places

FUSIONS = ("add", "scale", "both")
AT_LEAST = 4


class GlobalContext(nn.Module):
    """Attention over all places, shared by all queries; its context is added to every place.

        g(x) = softmax over places of (w . x)        context = sum over places of g(x) * x
        output = x + T(context)        T(c) = W_2 relu(norm(W_1 c + b_1)) + b_2

    The norm is a layer norm over the hidden units. W_2 and b_2 are initialized to zero, so that a
    new block adds nothing. The authors' code can also scale by sigmoid(T(context)) instead of
    adding, or scale and then add, each with its own T; its bias besides w, which the softmax
    cancels, is omitted here.

    Args:
        reduction: the hidden layer has `channels / reduction` units, at least 4: the norm of one
            would be zero, and the norm of two little more than a sign.
        fusion: "add", "scale" or "both". A scale starts at one half, not as the identity.

    Raises:
        ValueError: a count below 1, an unknown fusion, or maps with another number of channels.

    Example:
        >>> block, x = GlobalContext(32), torch.randn(2, 32, 7, 5)
        >>> torch.equal(block(x), x), block.weights(x).shape
        (True, torch.Size([2, 1, 7, 5]))

    References:
        Cao, Xu, Lin, Wei, Hu. GCNet: Non-local Networks Meet Squeeze-Excitation Networks and
            Beyond. 2019. https://arxiv.org/abs/1904.11492
    """

    def __init__(self, channels: int, reduction: int = 16, fusion: str = "add") -> None:
        super().__init__()
        require_counts("GlobalContext", channels=channels, reduction=reduction)
        require_choice("GlobalContext", "fusion", fusion, FUSIONS)
        self.channels, self.reduction, self.fusion = channels, reduction, fusion
        hidden = hidden_channels(channels, reduction, AT_LEAST)
        self.score = nn.Linear(channels, 1, bias=False)
        nn.init.kaiming_normal_(self.score.weight)
        self.scaled = _transform(channels, hidden) if fusion != "add" else None
        self.added = _transform(channels, hidden) if fusion != "scale" else None

    @property
    def starts_as_identity(self) -> bool:
        """True where nothing is scaled."""
        return self.scaled is None

    def weights(self, x: Float[Tensor, "batch channels *places"]) -> Tensor:
        """The weights of the context: `[batch, 1, *places]`, summing to 1 over the places."""
        require_maps("GlobalContext", x, self.channels)
        scores = at_each_place(self.score, x)
        return torch.softmax(scores.flatten(2), 2).reshape(scores.shape)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        places = self.weights(x).flatten(2).to(x.dtype)
        context = (places @ x.flatten(2).mT).squeeze(1)
        y = x
        if self.scaled is not None:
            y = y * over_places(torch.sigmoid(self.scaled(context)), x)
        return y if self.added is None else y + over_places(self.added(context), x)

    def extra_repr(self) -> str:
        return f"{self.channels}, reduction={self.reduction}, fusion={self.fusion!r}"


def _transform(channels: int, hidden: int) -> nn.Sequential:
    last = nn.Linear(hidden, channels)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(channels, hidden), nn.LayerNorm(hidden), nn.ReLU(), last)

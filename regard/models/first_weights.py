"""Weight initialization of published networks."""

from torch import nn

from regard.positions import Learned


def start_normal(module: nn.Module, std: float) -> None:
    """Initialize weights of linear layers and embeddings from N(0, std²), biases to 0, in place.

    >>> layer = nn.Linear(300, 300)
    >>> start_normal(layer, 0.02)
    >>> round(layer.weight.std().item(), 3), layer.bias.sum().item()
    (0.02, 0.0)
    """
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Embedding, Learned)):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)

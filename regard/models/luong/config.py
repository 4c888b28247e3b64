"""The sizes of Luong's network, and which of its forms it is."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class LuongConfig(Configuration):
    """What defines a network of Luong, Pham & Manning.

    The paper's have 50 000 words on both sides, four layers, everything 1000 wide, a window of 10
    keys to each side, and dropout of 0.2.

    Args:
        source_vocab: number of different source tokens.
        target_vocab: number of different target tokens.
        embed_dim: width of the embeddings.
        hidden_dim: width of every layer of both LSTMs, and of what the output layer reads.
        layers: how many LSTMs stand one over the other, in the encoder and in the decoder.
        attention: where to look: at all keys (`global`), near the key that stands where the output
            stands (`local_m`), near a place that the decoder predicts (`local_p`), or nowhere
            (`none`, the encoder-decoder that attention was invented against).
        score: how alike are a state and a source position?
        window: how many keys to each side local attention sees.
        longest: the largest number of source tokens, which the `location` score has to know; None
            for the others.
        input_feeding: `on` gives each step what the step before it found.
        variant: `paper`, or the `official` code where it differs, see `LuongAttention`.
        dropout: of embeddings, between layers and of what the output layer reads.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds or values
    that do not fit together.

    >>> LuongConfig(source_vocab=50_000, target_vocab=50_000, embed_dim=1000, hidden_dim=1000,
    ...             layers=4, attention="local_p", dropout=0.2).window
    10
    """

    model_type: ClassVar[str] = "luong"
    limits: ClassVar[dict[str, int]] = {
        "source_vocab": MOST_TOKENS,
        "target_vocab": MOST_TOKENS,
        "layers": 1000,
    }

    source_vocab: int
    target_vocab: int
    embed_dim: int
    hidden_dim: int
    layers: int
    attention: Literal["global", "local_m", "local_p", "none"] = "global"
    score: Literal["dot", "general", "concat", "location"] = "general"
    window: int = 10
    longest: int | None = None
    input_feeding: Literal["on", "off"] = "on"
    variant: Literal["paper", "official"] = "paper"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attention == "none" and self.input_feeding == "on":
            raise ValueError(
                "input_feeding feeds back what attention found, but attention is 'none': "
                "set input_feeding to 'off'"
            )
        needed = self.attention != "none" and self.score == "location"
        if needed and self.longest is None:
            raise ValueError(
                "the location score has a weight for every source position and longest is None: "
                "set longest to the largest number of source tokens"
            )

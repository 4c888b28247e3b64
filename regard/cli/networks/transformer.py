"""The Transformer in its three forms (Vaswani et al., 2017)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from regard._io.files import read_json
from regard.cli.names import SCORE_MODS, attend_of
from regard.cli.networks.network import AttendingSettings, Network
from regard.layers import Attend
from regard.models import transformer


@dataclass(frozen=True, kw_only=True)
class TransformerSettings(AttendingSettings):
    """See `regard.models.transformer.Blocks` for the sizes.

    Args:
        score_mod: changes a score, knowing its place.
        window: keys to either side that a self-attention may see; 0 is all.
        tied: which embeddings are one.
        ff_dim: width of the feed-forward layer.
        layers: of the encoder, and as many of the decoder.
        attention_dropout: share of the weights that is left out while training.
        sharing: `none`; `all` layers are one; `universal`, and it is told which time it is used;
            `adaptive`, and each token that is read decides how many times.
        ponder: nats that each time costs a classified text, the mean over its tokens, where they
            decide.
    """

    parts = ("score", "score_mod", "normalizer", "window", "attention_dropout")
    may_be_zero = frozenset({"window"})
    words = AttendingSettings.words | {
        "score_mod": SCORE_MODS,
        "positions": ("sinusoidal", "learned", "rope", "none"),
        "norm": ("post", "pre"),
        "activation": ("relu", "gelu", "swiglu"),
        "tied": ("none", "output", "all"),
        "sharing": ("none", "all", "universal", "adaptive"),
    }

    name: str = "transformer"
    score_mod: str = "none"
    window: int = 0
    positions: str = "sinusoidal"
    num_heads: int = 4
    ff_dim: int = 256
    layers: int = 4
    norm: str = "post"
    activation: str = "relu"
    tied: str = "all"
    attention_dropout: float = 0.0
    sharing: str = "none"
    ponder: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not divisible by num_heads {self.num_heads}"
            )
        if self.sharing in ("universal", "adaptive") and self.positions != "sinusoidal":
            raise ValueError(
                f"sharing {self.sharing!r} adds sinusoids before each layer: it needs positions "
                f"'sinusoidal', got {self.positions!r}"
            )
        if self.sharing != "adaptive" and self.charges:
            raise ValueError(
                f"ponder {self.ponder} is the cost of layers that tokens choose to use: it needs "
                f"sharing 'adaptive', got {self.sharing!r}"
            )

    @property
    def charges(self) -> bool:
        """Is `ponder` not the usual one?"""
        return self.ponder != type(self).ponder


def pairs(settings: Any, source_vocab: int, target_vocab: int) -> nn.Module:
    """An encoder and a decoder, which reads one language and writes another."""
    model = settings.model
    if model.charges:
        raise ValueError("ponder is the cost of a classified text; a translated one pays nothing")
    tied: Any = model.tied if settings.tokens.joint or model.tied != "all" else "output"
    sizes = transformer.TransformerConfig(
        source_vocab=source_vocab,
        target_vocab=target_vocab,
        encoder_layers=model.layers,
        decoder_layers=model.layers,
        tied=tied,
        **_shape(model, settings.data.longest + 60),
    )
    return transformer.Transformer(sizes, _attend(model.about(), sizes.embed_dim, sizes.num_heads))


def classes(settings: Any, vocab: int, classes: int) -> nn.Module:
    """An encoder, which reads a text and chooses a label."""
    model = settings.model
    sizes = transformer.TransformerClassifierConfig(
        vocab=vocab, classes=classes, layers=model.layers, **_shape(model, settings.data.longest)
    )
    attend = _attend(model.about(), sizes.embed_dim, sizes.num_heads)
    return transformer.TransformerClassifier(sizes, attend, model.ponder)


def running(settings: Any, vocab: int) -> nn.Module:
    """A decoder, which goes on where a text stops."""
    model = settings.model
    sizes = transformer.TransformerLMConfig(
        vocab=vocab,
        layers=model.layers,
        tied="none" if model.tied == "none" else "output",
        **_shape(model, settings.data.block),
    )
    attend = _attend(model.about(), sizes.embed_dim, sizes.num_heads)
    return transformer.TransformerLM(sizes, attend)


def load(folder: Path, parts: Mapping[str, Any]) -> nn.Module:
    """Any of the three, with the named parts."""
    entries = read_json((folder / "config.json").read_text("utf-8"))
    heads, width = entries.get("num_heads"), entries.get("embed_dim")
    if type(heads) is not int or type(width) is not int or heads < 1:
        raise ValueError(f"{folder / 'config.json'}: num_heads and embed_dim must be whole numbers")
    return transformer.load(folder, _attend(parts, width, heads))


def _shape(model: TransformerSettings, longest: int) -> dict[str, Any]:
    """What all three share."""
    names = "embed_dim num_heads ff_dim dropout norm activation positions sharing".split()
    shape = {name: getattr(model, name) for name in names}
    return shape | {"max_length": longest if model.positions == "learned" else None}


def _attend(parts: Mapping[str, Any], width: int, heads: int) -> Attend:
    return attend_of(
        width // heads,
        heads,
        score=parts.get("score", "scaled_dot"),
        normalizer=parts.get("normalizer", "softmax"),
        score_mod=parts.get("score_mod", "none"),
        window=parts.get("window", 0),
        dropout=parts.get("attention_dropout", 0.0),
    )


NETWORK = Network(
    TransformerSettings,
    {"translate": pairs, "classify": classes, "language_model": running},
    load,
)

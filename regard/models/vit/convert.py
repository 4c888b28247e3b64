"""The vision transformer's tensors and configuration in Hugging Face's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from regard._printable import shown
from regard.models.config_words import ACTIVATION_WORDS, CountOfLabels, Word
from regard.models.family import Family
from regard.models.tensor_rules import Reshaped, Rule, Stacked, same


@dataclass(frozen=True)
class Sides(Word):
    """A height and a width, which is one number there where both are the same."""

    def read(self, entries: Mapping[str, Any]) -> Any:
        """Both numbers; raises `ValueError` for more or fewer."""
        value = entries.get(self.theirs, self.usual)
        if isinstance(value, (list, tuple)):
            if len(value) != 2:
                raise ValueError(f"its {self.theirs} is {shown(value)}, no height and width")
            return tuple(value)
        return (value, value)

    def written(self, value: Any) -> Any:
        """One number or both."""
        return value[0] if value[0] == value[1] else list(value)


WORDS = (
    Sides("image_size", "image_size", 224),
    Sides("patch_size", "patch_size", 16),
    Word("num_channels", "channels", 3),
    Word("hidden_size", "embed_dim", 768),
    Word("num_hidden_layers", "layers", 12),
    Word("num_attention_heads", "num_heads", 12),
    Word("intermediate_size", "ff_dim", 3072),
    Word("hidden_act", "activation", "gelu", ACTIVATION_WORDS),
    Word("qkv_bias", "input_bias", True),
    Word("attention_probs_dropout_prob", "attention.dropout", 0.0),
    Word("hidden_dropout_prob", "dropout", 0.0),
    Word("layer_norm_eps", "norm_eps", 1e-12),
    Word("initializer_range", "init_std", 0.02),
)
POOLER = (
    Word("pooler_output_size", "summary_dim", None),
    Word("pooler_act", "summary_activation", "tanh", ACTIVATION_WORDS),
)


def rules(config: Any, prefix: str) -> list[Rule]:
    """The tensors of a network of this family."""
    ours = "" if config.tag == "vit" else "encoder."
    (height, width), depth = config.patch_size, config.channels
    patch = Reshaped(
        (config.embed_dim, depth * height * width), (config.embed_dim, depth, height, width)
    )
    tokens = 1 + (config.image_size[0] // height) * (config.image_size[1] // width)
    first = Reshaped((config.embed_dim,), (1, 1, config.embed_dim))
    places = Reshaped((tokens, config.embed_dim), (1, tokens, config.embed_dim))
    mine, theirs = f"{ours}embedding", f"{prefix}embeddings"
    projection = f"{theirs}.patch_embeddings.projection"
    found = [
        Rule(f"{mine}.class_token", (f"{theirs}.cls_token",), first),
        Rule(f"{mine}.positions.weight", (f"{theirs}.position_embeddings",), places),
        Rule(f"{mine}.projection.weight", (f"{projection}.weight",), patch),
        *same(f"{mine}.projection", projection, "bias"),
    ]
    for number in range(config.layers):
        mine, theirs = f"{ours}encoder.blocks.{number}", f"{prefix}encoder.layer.{number}"
        found += _block(mine, theirs, config)
    found += same(f"{ours}norm", f"{prefix}layernorm")
    if config.tag == "vit":
        return [*found, *(same("pooler", f"{prefix}pooler.dense") if config.pooler else [])]
    return [*found, *same("output", "classifier")]


def _block(mine: str, theirs: str, config: Any) -> list[Rule]:
    stacked = Stacked((config.embed_dim,) * 3)
    found = []
    for leaf in ("weight", "bias") if config.input_bias else ("weight",):
        names = [
            f"{theirs}.attention.attention.{each}.{leaf}" for each in ("query", "key", "value")
        ]
        found.append(Rule(f"{mine}.attention.heads.input.{leaf}", tuple(names), stacked))
    return [
        *found,
        *same(f"{mine}.attention.heads.output", f"{theirs}.attention.output.dense"),
        *same(f"{mine}.attention_residual.norm", f"{theirs}.layernorm_before"),
        *same(f"{mine}.feed_forward.hidden", f"{theirs}.intermediate.dense"),
        *same(f"{mine}.feed_forward.output", f"{theirs}.output.dense"),
        *same(f"{mine}.feed_forward_residual.norm", f"{theirs}.layernorm_after"),
    ]


FAMILY = Family(
    model_type="vit",
    networks={"ViTModel": "vit", "ViTForImageClassification": "vit_classifier"},
    words=WORDS,
    head_words={"vit": POOLER, "vit_classifier": (CountOfLabels(),)},
    rules=rules,
    optional={"vit": {"pooler": "pooler."}},
    prefix="vit.",
    heads=("vit.pooler.", "pooler.", "classifier."),
    dropped=("embeddings.mask_token",),
    ignored=frozenset({"encoder_stride", "pooler_output_size", "pooler_act"}),
)

"""XLNet's tensors and configuration in Hugging Face's words."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from regard._printable import shown
from regard.models.config_words import ACTIVATION_WORDS, CountOfLabels, Word
from regard.models.family import Family
from regard.models.tensor_rules import Rule, same


@dataclass(frozen=True)
class HeadsApart:
    """Ours is several of theirs, each `[inputs, heads, width of a head]`, below one another."""

    heads: int
    several: int = 1

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """One row for each number of each head."""
        return torch.cat([rearrange(each, "inputs h d -> (h d) inputs") for each in theirs])

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """The heads apart again."""
        pattern = "(n h d) inputs -> n inputs h d"
        return list(rearrange(ours, pattern, n=self.several, h=self.heads))


@dataclass(frozen=True)
class HeadsBehind:
    """Ours is theirs, `[outputs, heads, width of a head]`, with the heads side by side."""

    heads: int

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """The heads in one row."""
        return rearrange(theirs[0], "outputs h d -> outputs (h d)")

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """The heads apart again."""
        return [rearrange(ours, "outputs (h d) -> outputs h d", h=self.heads)]


@dataclass(frozen=True)
class OneVector:
    """Ours is theirs without the two axes that say nothing."""

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """The vector."""
        return rearrange(theirs[0], "1 1 width -> width")

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """With the axes."""
        return [rearrange(ours, "width -> 1 1 width")]


@dataclass(frozen=True)
class NumberOfHeads(Word):
    """How many heads there are; their width may be said too, and follows from it."""

    def read(self, entries: Mapping[str, Any]) -> Any:
        """The number; raises `ValueError` for another width."""
        heads, width = super().read(entries), entries.get("d_head")
        model = entries.get("d_model", 1024)
        if width is not None and isinstance(heads, int) and width * heads != model:
            raise ValueError(
                f"its d_head is {shown(width)}, which is not computed here; it must be "
                f"d_model / n_head = {shown(model)} / {heads}"
            )
        return heads


@dataclass(frozen=True)
class Limit(Word):
    """A number, or one that is not above zero for no limit."""

    none: int | None = None

    def read(self, entries: Mapping[str, Any]) -> Any:
        """The number, None for no limit."""
        value = super().read(entries)
        return None if isinstance(value, int) and value <= 0 else value

    def written(self, value: Any) -> Any:
        """Their value."""
        return self.none if value is None else value


WORDS = (
    Word("vocab_size", "vocab", 32000),
    Word("d_model", "embed_dim", 1024),
    Word("n_layer", "layers", 24),
    NumberOfHeads("n_head", "num_heads", 16),
    Word("d_inner", "ff_dim", 4096),
    Word("ff_activation", "activation", "gelu", ACTIVATION_WORDS),
    Word("dropout", "attention.dropout", 0.1),
    Word("dropout", "dropout", 0.1),
    Word("layer_norm_eps", "norm_eps", 1e-12),
    Word("initializer_range", "init_std", 0.02),
    Word("attn_type", "causal", "bi", {"bi": False, "uni": True}),
    Word("same_length", "same_length", False),
    Limit("clamp_len", "clamp_length", -1, none=-1),
    Limit("mem_len", "memory_length", 512),
    Limit("reuse_len", "reuse_length", None),
    Word("bi_data", "backward_half", False),
)
SUMMARY = (
    CountOfLabels(),
    Word("summary_type", "summary", "last",
         {"last": "last", "first": "first", "mean": "mean", "cls_index": "last"}),
    Word("summary_use_proj", "summary_projection", True),
    Word("summary_activation", "summary_activation", "tanh",
         {"": "none", None: "none", "tanh": "tanh", **ACTIVATION_WORDS}),
    Word("summary_last_dropout", "output_dropout", 0.1),
)  # fmt: skip


def rules(config: Any, prefix: str) -> list[Rule]:
    """The tensors of a network of this family."""
    ours = "" if config.tag == "xlnet" else "encoder."
    heads = config.num_heads
    found = [
        Rule(f"{ours}tokens.weight", (f"{prefix}word_embedding.weight",)),
        Rule(f"{ours}mask", (f"{prefix}mask_emb",), OneVector()),
    ]
    for number in range(config.layers):
        mine, theirs = f"{ours}blocks.{number}", f"{prefix}layer.{number}"
        here, there = f"{mine}.attention", f"{theirs}.rel_attn"
        pair = (f"{there}.k", f"{there}.v")
        found += [
            Rule(f"{here}.query.weight", (f"{there}.q",), HeadsApart(heads)),
            Rule(f"{here}.key_value.weight", pair, HeadsApart(heads, 2)),
            Rule(f"{here}.distance.weight", (f"{there}.r",), HeadsApart(heads)),
            Rule(f"{here}.output.weight", (f"{there}.o",), HeadsBehind(heads)),
            Rule(f"{here}.content_bias", (f"{there}.r_w_bias",)),
            Rule(f"{here}.distance_bias", (f"{there}.r_r_bias",)),
            Rule(f"{here}.segment_bias", (f"{there}.r_s_bias",)),
            Rule(f"{here}.segments", (f"{there}.seg_embed",)),
            *same(f"{mine}.attention_residual.norm", f"{there}.layer_norm"),
            *same(f"{mine}.feed_forward.hidden", f"{theirs}.ff.layer_1"),
            *same(f"{mine}.feed_forward.output", f"{theirs}.ff.layer_2"),
            *same(f"{mine}.feed_forward_residual.norm", f"{theirs}.ff.layer_norm"),
        ]
    return found + _head(config)


def _head(config: Any) -> list[Rule]:
    """What stands upon the encoder."""
    match config.tag:
        case "xlnet_lm":
            return same("output", "lm_loss", *(["bias"] if config.tied else []))
        case "xlnet_classifier":
            found = same("output", "logits_proj")
            if config.summary_projection:
                found += same("encoder.summarizer.projection", "sequence_summary.summary")
            return found
        case "xlnet_tagger":
            return same("output", "classifier")
        case "xlnet_spans":
            return same("output", "qa_outputs")
    return []


def told(theirs: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """That `same_length` is of no effect where a token sees what follows it, whatever is said."""
    return {} if theirs.get("attn_type") == "uni" else {"same_length": False}


FAMILY = Family(
    model_type="xlnet",
    networks={
        "XLNetModel": "xlnet",
        "XLNetLMHeadModel": "xlnet_lm",
        "XLNetForSequenceClassification": "xlnet_classifier",
        "XLNetForTokenClassification": "xlnet_tagger",
        "XLNetForQuestionAnsweringSimple": "xlnet_spans",
    },
    words=WORDS,
    head_words={
        "xlnet_lm": (Word("tie_word_embeddings", "tied", True),),
        "xlnet_classifier": SUMMARY,
        "xlnet_tagger": (CountOfLabels(),),
    },
    rules=rules,
    told=told,
    prefix="transformer.",
    only={
        "summary_proj_to_labels": (False,),
        "summary_first_dropout": (0, 0.0),
    },
    heads=("lm_loss.", "sequence_summary.", "logits_proj.", "classifier.", "qa_outputs.",
           "start_logits.", "end_logits.", "answer_class."),
    copies={"lm_loss.weight": "word_embedding.weight"},
    beside=frozenset({"alone"}),
    # Every layer has its biases in the files, also where untie_r says that all had the same.
    ignored=frozenset({
        "untie_r",
        "d_head", "tie_word_embeddings", "start_n_top", "end_n_top", "summary_type",
        "summary_use_proj", "summary_activation", "summary_last_dropout", "max_position_embeddings",
    }),
)  # fmt: skip

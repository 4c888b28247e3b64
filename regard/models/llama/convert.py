"""LLaMA's tensors and configuration in Hugging Face's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from regard import positions
from regard._printable import shown
from regard.models.config_words import (
    ACTIVATION_WORDS,
    PAD,
    CountOfLabels,
    EndTokens,
    OneToken,
    Word,
)
from regard.models.family import Family
from regard.models.tensor_rules import Rule, Stacked, same

TURNS, TRAINED = "rope_parameters", "original_max_position_embeddings"
KINDS: dict[str, dict[str, str | None]] = {
    "default": {},
    "llama3": {
        "factor": "factor",
        TRAINED: "trained",
        "low_freq_factor": "low",
        "high_freq_factor": "high",
    },
    "yarn": {
        "factor": "factor",
        TRAINED: "trained",
        "beta_fast": "fast",
        "beta_slow": "slow",
        "truncate": "whole",
        "attention_factor": "amplitude",
        "mscale": None,
        "mscale_all_dim": None,
    },
}
"""How they call a way of stretching turns → its options as ours; of two the amplitude follows."""


def _rope(entries: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of turns: in a table of new files, in one of old files or beside that."""
    said: dict[str, Any] = {}
    for name in (TURNS, "rope_scaling"):
        table = entries.get(name)
        if table is not None and not isinstance(table, dict):
            raise ValueError(f"its {name} is {shown(table)}, which is no table")
        said |= table or {}
    if said.get("partial_rotary_factor") == 1.0:
        del said["partial_rotary_factor"]
    kind = said.pop("rope_type", said.pop("type", "default"))
    said.pop("type", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(
            f"its rope_type is {shown(kind)}, which is not computed here; there are "
            f"{', '.join(KINDS)}"
        )
    known = {"rope_theta", *KINDS[kind]}
    if other := sorted(key for key in said if key not in known and said[key] is not None):
        raise ValueError(f"its rope_parameters say {shown(other[0])}, which is not computed")
    return {**said, "rope_type": kind}


@dataclass(frozen=True)
class RopeBase(Word):
    """How fast queries and keys turn: beside the other options in old files, in a table in new."""

    theirs: str = TURNS
    ours: str = "rope_base"
    usual: Any = 10_000.0

    def read(self, entries: Mapping[str, Any]) -> Any:
        """The base; raises `ValueError` for turns that are stretched in a way not computed."""
        return _rope(entries).get("rope_theta", entries.get("rope_theta", self.usual))

    def written(self, value: Any) -> Any:
        """Its entry in the table of new files."""
        return {"rope_theta": value}


@dataclass(frozen=True)
class RopeScaling(Word):
    """How turns are stretched for longer texts, in the same table."""

    theirs: str = TURNS
    ours: str = "rope_scaling"
    usual: Any = None

    def read(self, entries: Mapping[str, Any]) -> Any:
        """Our table for theirs, None where nothing is stretched; raises as `RopeBase`."""
        said = _rope(entries)
        kind = said["rope_type"]
        if kind == "default":
            return None
        found = {ours: said[name] for name, ours in KINDS[kind].items() if _is_ours(said, name)}
        trained = entries.get(TRAINED) or entries.get("max_position_embeddings")
        found.setdefault("trained", trained)
        if kind == "yarn":
            most = entries.get("max_position_embeddings")
            if "factor" not in found and most and found["trained"]:
                found["factor"] = most / found["trained"]
            if "amplitude" not in found and said.get("mscale") and said.get("mscale_all_dim"):
                over, under = (
                    positions.YaRN(found["factor"], 1).amplitude_of(said[name])
                    for name in ("mscale", "mscale_all_dim")
                )
                found["amplitude"] = over / under
        if lacking := [ours for ours in ("factor", "trained") if not found.get(ours)]:
            raise ValueError(f"its {TURNS} of {kind} lack the {lacking[0]}")
        return {"kind": kind, **found}

    def written(self, value: Any) -> Any:
        """Its entries in the table of new files."""
        if value is None:
            return {"rope_type": "default"}
        kind = value.tag
        said = {theirs: getattr(value, ours) for theirs, ours in KINDS[kind].items() if ours}
        return {"rope_type": kind, **{n: v for n, v in said.items() if v is not None}}


def _is_ours(said: Mapping[str, Any], name: str) -> bool:
    return said.get(name) is not None and KINDS[said["rope_type"]][name] is not None


WORDS = (
    Word("vocab_size", "vocab", 32000),
    Word("max_position_embeddings", "max_length", 2048),
    Word("hidden_size", "embed_dim", 4096),
    Word("num_hidden_layers", "layers", 32),
    Word("num_attention_heads", "num_heads", 32),
    Word("num_key_value_heads", "kv_heads", None),
    Word("head_dim", "head_dim", None),
    Word("intermediate_size", "ff_dim", 11008),
    Word("hidden_act", "activation", "silu", ACTIVATION_WORDS),
    RopeBase(),
    RopeScaling(),
    Word("attention_dropout", "attention.dropout", 0.0),
    Word("attention_bias", "attention_bias", False),
    Word("mlp_bias", "ff_bias", False),
    Word("rms_norm_eps", "norm_eps", 1e-6),
    Word("initializer_range", "init_std", 0.02),
    PAD,
)


def rules(config: Any, prefix: str) -> list[Rule]:
    """The tensors of a network of this family."""
    ours = {"llama": "", "llama_lm": "body."}.get(config.tag, "encoder.")
    found = same(f"{ours}embedding.tokens", f"{prefix}embed_tokens", "weight")
    for number in range(config.layers):
        found += _block(config, f"{ours}decoder.blocks.{number}", f"{prefix}layers.{number}")
    found += same(f"{ours}norm", f"{prefix}norm", "weight")
    return found + _head(config)


def _head(config: Any) -> list[Rule]:
    """What stands upon the decoder."""
    match config.tag:
        case "llama_lm":
            return [] if config.tied else same("output", "lm_head", "weight")
        case "llama_classifier":
            return same("output", "score", "weight")
        case "llama_tagger":
            return same("output", "score")
        case "llama_spans":
            return same("output", "qa_outputs")
    return []


def stacked(config: Any) -> Stacked:
    """Queries, keys and values by one product."""
    keys = config.width * (config.kv_heads or config.num_heads)
    return Stacked((config.width * config.num_heads, keys, keys))


def _block(config: Any, mine: str, theirs: str) -> list[Rule]:
    around, ff = (
        ("weight", "bias") if bias else ("weight",)
        for bias in (config.attention_bias, config.ff_bias)
    )
    found = []
    for leaf in around:
        names = tuple(f"{theirs}.self_attn.{each}_proj.{leaf}" for each in "qkv")
        found.append(Rule(f"{mine}.attention.heads.input.{leaf}", names, stacked(config)))
    return [
        *found,
        *same(f"{mine}.attention.heads.output", f"{theirs}.self_attn.o_proj", *around),
        *same(f"{mine}.attention_residual.norm", f"{theirs}.input_layernorm", "weight"),
        *same(f"{mine}.feed_forward.gate", f"{theirs}.mlp.gate_proj", *ff),
        *same(f"{mine}.feed_forward.hidden", f"{theirs}.mlp.up_proj", *ff),
        *same(f"{mine}.feed_forward.output", f"{theirs}.mlp.down_proj", *ff),
        *same(f"{mine}.feed_forward_residual.norm", f"{theirs}.post_attention_layernorm", "weight"),
    ]


FAMILY = Family(
    model_type="llama",
    networks={
        "LlamaModel": "llama",
        "LlamaForCausalLM": "llama_lm",
        "LlamaForSequenceClassification": "llama_classifier",
        "LlamaForTokenClassification": "llama_tagger",
        "LlamaForQuestionAnswering": "llama_spans",
    },
    words=WORDS,
    head_words={
        "llama_lm": (
            Word("tie_word_embeddings", "tied", False),
            OneToken("bos_token_id", "begin", 1),
            EndTokens(usual=2),
        ),
        "llama_classifier": (CountOfLabels(),),
        "llama_tagger": (CountOfLabels(), Word("classifier_dropout", "output_dropout", 0.1)),
    },
    rules=rules,
    prefix="model.",
    prefixes={"llama_spans": "transformer."},
    only={"pretraining_tp": (1,)},
    heads=("lm_head.", "score.", "qa_outputs."),
    dropped=("rotary_emb.inv_freq",),
    copies={"lm_head.weight": "embed_tokens.weight"},
    ignored=frozenset(
        {"tie_word_embeddings", "rope_theta", "rope_scaling", TRAINED, "classifier_dropout"}
    ),
)

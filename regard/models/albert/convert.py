"""ALBERT's tensors and configuration in Hugging Face's words."""

from typing import Any

from regard.models.config_words import ACTIVATION_WORDS, CountOfLabels, Word
from regard.models.family import Family
from regard.models.tensor_rules import First, Rule, Stacked, same

WORDS = (
    Word("vocab_size", "vocab", 30000),
    Word("max_position_embeddings", "max_length", 512),
    Word("type_vocab_size", "segments", 2),
    Word("embedding_size", "token_dim", 128),
    Word("hidden_size", "embed_dim", 4096),
    Word("num_hidden_layers", "layers", 12),
    Word("num_hidden_groups", "groups", 1),
    Word("inner_group_num", "blocks", 1),
    Word("num_attention_heads", "num_heads", 64),
    Word("intermediate_size", "ff_dim", 16384),
    Word("hidden_act", "activation", "gelu_new", ACTIVATION_WORDS),
    Word("attention_probs_dropout_prob", "attention.dropout", 0.0),
    Word("hidden_dropout_prob", "dropout", 0.0),
    Word("layer_norm_eps", "norm_eps", 1e-12),
    Word("initializer_range", "init_std", 0.02),
)
OUTPUT_DROPOUT = Word("classifier_dropout_prob", "output_dropout", 0.1)
LABELLED = (CountOfLabels(), OUTPUT_DROPOUT)
TIED = Word("tie_word_embeddings", "tied", True)


def rules(config: Any, prefix: str) -> list[Rule]:
    """The tensors of a network of this family."""
    ours = "" if config.tag == "albert" else "encoder."
    found = [
        Rule(f"{ours}embedding.{mine}.weight", (f"{prefix}embeddings.{theirs}.weight",))
        for mine, theirs in (
            ("tokens", "word_embeddings"),
            ("positions", "position_embeddings"),
            ("segments", "token_type_embeddings"),
        )
    ]
    found += same(f"{ours}embedding.norm", f"{prefix}embeddings.LayerNorm")
    found += same(f"{ours}widening", f"{prefix}encoder.embedding_hidden_mapping_in")
    first = {config.group(layer): layer for layer in reversed(range(config.layers))}
    for group, layer in sorted(first.items()):
        for number in range(config.blocks):
            mine = f"{ours}encoder.blocks.{layer * config.blocks + number}"
            theirs = f"{prefix}encoder.albert_layer_groups.{group}.albert_layers.{number}"
            found += _block(mine, theirs, config.embed_dim)
    return found + _head(config, prefix, ours)


def _block(mine: str, theirs: str, width: int) -> list[Rule]:
    """The tensors of one block, which stand under its first name."""
    stacked = Stacked((width,) * 3)
    found = []
    for leaf in ("weight", "bias"):
        names = tuple(f"{theirs}.attention.{each}.{leaf}" for each in ("query", "key", "value"))
        found.append(Rule(f"{mine}.attention.heads.input.{leaf}", names, stacked))
    return [
        *found,
        *same(f"{mine}.attention.heads.output", f"{theirs}.attention.dense"),
        *same(f"{mine}.attention_residual.norm", f"{theirs}.attention.LayerNorm"),
        *same(f"{mine}.feed_forward.hidden", f"{theirs}.ffn"),
        *same(f"{mine}.feed_forward.output", f"{theirs}.ffn_output"),
        *same(f"{mine}.feed_forward_residual.norm", f"{theirs}.full_layer_layer_norm"),
    ]


def _head(config: Any, prefix: str, ours: str) -> list[Rule]:
    """What stands upon the encoder."""
    pooler = same(f"{ours}pooler", f"{prefix}pooler")
    match config.tag:
        case "albert":
            return pooler if config.pooler else []
        case "albert_classifier":
            return [*pooler, *same("output", "classifier")]
        case "albert_tagger":
            return same("output", "classifier")
        case "albert_spans":
            return same("output", "qa_outputs")
    found = [*same("transform", "predictions.dense"), *same("norm", "predictions.LayerNorm")]
    if config.tied:
        found += same("output", "predictions", "bias")
    else:
        # What is not tied has a bias of its own, beside one that is left over.
        found += same("output", "predictions.decoder", "weight")
        found.append(Rule("output.bias", ("predictions.decoder.bias", "predictions.bias"), First()))
    if config.tag == "albert_pretraining":
        found += [*pooler, *same("sentence_order", "sop_classifier.classifier")]
    return found


FAMILY = Family(
    model_type="albert",
    networks={
        "AlbertModel": "albert",
        "AlbertForSequenceClassification": "albert_classifier",
        "AlbertForTokenClassification": "albert_tagger",
        "AlbertForQuestionAnswering": "albert_spans",
        "AlbertForMaskedLM": "albert_masked_lm",
        "AlbertForPreTraining": "albert_pretraining",
    },
    words=WORDS,
    head_words={
        "albert_classifier": LABELLED,
        "albert_tagger": LABELLED,
        "albert_masked_lm": (TIED,),
        "albert_pretraining": (TIED, OUTPUT_DROPOUT),
    },
    rules=rules,
    optional={"albert": {"pooler": "pooler."}},
    prefix="albert.",
    only={
        "is_decoder": (False,),
        "add_cross_attention": (False,),
        "position_embedding_type": ("absolute",),
        "down_scale_factor": (1,),
        "gap_size": (0,),
        "net_structure_type": (0,),
        "num_memory_blocks": (0,),
    },
    heads=(
        "albert.pooler.",
        "pooler.",
        "predictions.",
        "sop_classifier.",
        "classifier.",
        "qa_outputs.",
    ),  # fmt: skip
    dropped=("embeddings.position_ids",),
    copies={
        "predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "predictions.decoder.bias": "predictions.bias",
    },
    ignored=frozenset({"tie_word_embeddings", "classifier_dropout_prob"}),
)

"""GPT's tensors and configurations in Hugging Face's words: GPT-1's and GPT-2's."""

from typing import Any

from regard.models.config_words import (
    ACTIVATION_WORDS,
    PAD,
    CountOfLabels,
    EndTokens,
    OneToken,
    Word,
)
from regard.models.family import Family
from regard.models.tensor_rules import Rule, Transposed, same

SIZES = (
    Word("n_embd", "embed_dim", 768),
    Word("n_layer", "layers", 12),
    Word("n_head", "num_heads", 12),
    Word("resid_pdrop", "dropout", 0.1),
    Word("embd_pdrop", "embed_dropout", 0.1),
    Word("attn_pdrop", "attention.dropout", 0.1),
    Word("layer_norm_epsilon", "norm_eps", 1e-5),
    Word("initializer_range", "init_std", 0.02),
    PAD,
)
TIED = Word("tie_word_embeddings", "tied", True)
ONE_ACTIVATION = {"gelu": "gelu_tanh", "relu": "relu", "silu": "silu", "swish": "silu"}
"""GPT-1's own names: its GELU is the approximation."""
IGNORED = frozenset(
    """
    n_ctx summary_type summary_use_proj summary_activation summary_proj_to_labels
    summary_first_dropout predict_special_tokens reorder_and_upcast_attn tie_word_embeddings
    classifier_dropout n_special
    """.split()
)
"""The summary is of another head; scores are at least float32 here, whatever is said."""


def rules(tokens: str, positions: str) -> Any:
    """The tensors of a network of a family, which calls its two tables so."""

    def of(config: Any, prefix: str) -> list[Rule]:
        ours = {"gpt": "", "gpt_lm": "body."}.get(config.tag, "encoder.")
        found = [
            Rule(f"{ours}embedding.tokens.weight", (f"{prefix}{tokens}.weight",)),
            Rule(f"{ours}embedding.learned.weight", (f"{prefix}{positions}.weight",)),
        ]
        for number in range(config.layers):
            found += _block(f"{ours}decoder.blocks.{number}", f"{prefix}h.{number}")
        if config.norm == "pre":
            found += same(f"{ours}norm", f"{prefix}ln_f")
        return found + _head(config)

    return of


def _block(mine: str, theirs: str) -> list[Rule]:
    """The tensors of one layer."""
    found = [
        *same(f"{mine}.attention_residual.norm", f"{theirs}.ln_1"),
        *same(f"{mine}.feed_forward_residual.norm", f"{theirs}.ln_2"),
    ]
    for ours, name in (
        ("attention.heads.input", "attn.c_attn"),
        ("attention.heads.output", "attn.c_proj"),
        ("feed_forward.hidden", "mlp.c_fc"),
        ("feed_forward.output", "mlp.c_proj"),
    ):
        found.append(Rule(f"{mine}.{ours}.weight", (f"{theirs}.{name}.weight",), Transposed()))
        found += same(f"{mine}.{ours}", f"{theirs}.{name}", "bias")
    return found


def _head(config: Any) -> list[Rule]:
    """What stands upon the decoder."""
    match config.tag:
        case "gpt_lm":
            return [] if config.tied else same("output", "lm_head", "weight")
        case "gpt_classifier":
            return same("output", "score", "weight")
        case "gpt_tagger":
            return same("output", "classifier")
        case "gpt_spans":
            return same("output", "qa_outputs")
    return []


GPT1 = Family(
    model_type="openai-gpt",
    networks={
        "OpenAIGPTModel": "gpt",
        "OpenAIGPTLMHeadModel": "gpt_lm",
        "OpenAIGPTForSequenceClassification": "gpt_classifier",
    },
    words=(
        Word("vocab_size", "vocab", 40_478),
        Word("n_positions", "max_length", 512),
        *SIZES,
        Word("afn", "activation", "gelu", ONE_ACTIVATION),
    ),
    head_words={
        "gpt_lm": (TIED, OneToken("bos_token_id", "begin", None), EndTokens(usual=None)),
        "gpt_classifier": (CountOfLabels(),),
    },
    always={"norm": "post"},
    rules=rules("tokens_embed", "positions_embed"),
    prefix="transformer.",
    heads=("lm_head.", "score.", "multiple_choice_head."),
    dropped=(".attn.bias", "position_ids"),
    copies={"lm_head.weight": "tokens_embed.weight"},
    ignored=IGNORED,
)
GPT2 = Family(
    model_type="gpt2",
    networks={
        "GPT2Model": "gpt",
        "GPT2LMHeadModel": "gpt_lm",
        "GPT2ForSequenceClassification": "gpt_classifier",
        "GPT2ForTokenClassification": "gpt_tagger",
        "GPT2ForQuestionAnswering": "gpt_spans",
    },
    words=(
        Word("vocab_size", "vocab", 50_257),
        Word("n_positions", "max_length", 1024),
        *SIZES,
        Word("n_inner", "ff_dim", None),
        Word("activation_function", "activation", "gelu_new", ACTIVATION_WORDS),
        Word("scale_attn_weights", "attention.score", True, {True: "scaled_dot", False: "dot"}),
        Word("scale_attn_by_inverse_layer_idx", "scale_by_layer", False),
    ),
    head_words={
        "gpt_lm": (TIED, OneToken("bos_token_id", "begin", 50_256), EndTokens(usual=50_256)),
        "gpt_classifier": (CountOfLabels(),),
        "gpt_tagger": (CountOfLabels(), Word("classifier_dropout", "output_dropout", 0.1)),
    },
    always={"norm": "pre"},
    rules=rules("wte", "wpe"),
    prefix="transformer.",
    only={"add_cross_attention": (False,)},
    heads=("lm_head.", "score.", "classifier.", "multiple_choice_head.", "qa_outputs."),
    dropped=(".attn.bias", ".attn.masked_bias"),
    copies={"lm_head.weight": "wte.weight"},
    ignored=IGNORED,
)

"""BERT's tensors and configuration in Hugging Face's words."""

from typing import Any

from regard.models.config_words import ACTIVATION_WORDS, CountOfLabels, Word
from regard.models.family import Family
from regard.models.tensor_rules import First, Rule, Stacked, same

WORDS = (
    Word("vocab_size", "vocab", 30522),
    Word("max_position_embeddings", "max_length", 512),
    Word("type_vocab_size", "segments", 2),
    Word("hidden_size", "embed_dim", 768),
    Word("num_hidden_layers", "layers", 12),
    Word("num_attention_heads", "num_heads", 12),
    Word("intermediate_size", "ff_dim", 3072),
    Word("hidden_act", "activation", "gelu", ACTIVATION_WORDS),
    Word("attention_probs_dropout_prob", "attention.dropout", 0.1),
    Word("hidden_dropout_prob", "dropout", 0.1),
    Word("layer_norm_eps", "norm_eps", 1e-12),
    Word("initializer_range", "init_std", 0.02),
)
LABELLED = (CountOfLabels(), Word("classifier_dropout", "output_dropout", None))


def rules(config: Any, prefix: str) -> list[Rule]:
    """The tensors of a network of this family."""
    ours = "" if config.tag == "bert" else "encoder."
    found = [
        Rule(f"{ours}embedding.{mine}.weight", (f"{prefix}embeddings.{theirs}.weight",))
        for mine, theirs in (
            ("tokens", "word_embeddings"),
            ("positions", "position_embeddings"),
            ("segments", "token_type_embeddings"),
        )
    ]
    found += same(f"{ours}embedding.norm", f"{prefix}embeddings.LayerNorm")
    stacked = Stacked((config.embed_dim,) * 3)
    for number in range(config.layers):
        mine = f"{ours}encoder.blocks.{number}"
        theirs = f"{prefix}encoder.layer.{number}"
        attention = [f"{theirs}.attention.self.{each}" for each in ("query", "key", "value")]
        for leaf in ("weight", "bias"):
            names = tuple(f"{each}.{leaf}" for each in attention)
            found.append(Rule(f"{mine}.attention.heads.input.{leaf}", names, stacked))
        found += [
            *same(f"{mine}.attention.heads.output", f"{theirs}.attention.output.dense"),
            *same(f"{mine}.attention_residual.norm", f"{theirs}.attention.output.LayerNorm"),
            *same(f"{mine}.feed_forward.hidden", f"{theirs}.intermediate.dense"),
            *same(f"{mine}.feed_forward.output", f"{theirs}.output.dense"),
            *same(f"{mine}.feed_forward_residual.norm", f"{theirs}.output.LayerNorm"),
        ]
    return found + _head(config, prefix, ours)


def _head(config: Any, prefix: str, ours: str) -> list[Rule]:
    """What stands upon the encoder."""
    pooler = same(f"{ours}pooler", f"{prefix}pooler.dense")
    match config.tag:
        case "bert":
            return pooler if config.pooler else []
        case "bert_classifier":
            return [*pooler, *same("output", "classifier")]
        case "bert_tagger":
            return same("output", "classifier")
        case "bert_spans":
            return same("output", "qa_outputs")
    found = [
        *same("transform", "cls.predictions.transform.dense"),
        *same("norm", "cls.predictions.transform.LayerNorm"),
    ]
    if config.tied:
        found += same("output", "cls.predictions", "bias")
    else:
        # What is not tied has a bias of its own, beside one that is left over.
        biases = ("cls.predictions.decoder.bias", "cls.predictions.bias")
        found += same("output", "cls.predictions.decoder", "weight")
        found.append(Rule("output.bias", biases, First()))
    if config.next_sentence:
        found += [*pooler, *same("next_sentence", "cls.seq_relationship")]
    return found


FAMILY = Family(
    model_type="bert",
    networks={
        "BertModel": "bert",
        "BertForSequenceClassification": "bert_classifier",
        "BertForTokenClassification": "bert_tagger",
        "BertForQuestionAnswering": "bert_spans",
        "BertForMaskedLM": "bert_masked_lm",
        "BertForPreTraining": "bert_masked_lm",
    },
    words=WORDS,
    head_words={
        "bert_classifier": LABELLED,
        "bert_tagger": LABELLED,
        "bert_masked_lm": (Word("tie_word_embeddings", "tied", True),),
    },
    rules=rules,
    optional={"bert": {"pooler": "pooler."}},
    prefix="bert.",
    only={
        "is_decoder": (False,),
        "add_cross_attention": (False,),
        "position_embedding_type": ("absolute",),
    },
    implied={"BertForPreTraining": {"next_sentence": True}},
    heads=("bert.pooler.", "pooler.", "cls.", "classifier.", "qa_outputs."),
    dropped=("embeddings.position_ids",),
    renamed={"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"},
    copies={
        "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    ignored=frozenset({"tie_word_embeddings", "classifier_dropout"}),
)

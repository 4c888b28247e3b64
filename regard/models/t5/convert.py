"""T5's tensors and configuration in Hugging Face's words."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from regard.models.config_words import ACTIVATION_WORDS, EndTokens, OneToken, Word
from regard.models.family import Family
from regard.models.t5.config import Gated
from regard.models.tensor_rules import Rule, Stacked, same


@dataclass(frozen=True)
class Hidden(Word):
    """What a hidden layer is: `relu` or `gated-gelu`, which newer files say in two words more.

    `gated-gelu` is GPT-2's approximation, and the exact function is `gated-gelu_python`.
    """

    theirs: str = "feed_forward_proj"
    ours: str = "feed_forward"
    usual: Any = "relu"

    def read(self, entries: Mapping[str, Any]) -> Any:
        """The kind of layer and its activation."""
        said = entries.get(self.theirs, self.usual)
        gate, _, name = str(said).rpartition("-")
        name = "gelu_new" if said == "gated-gelu" else name
        gated = entries.get("is_gated_act", gate == "gated")
        word = Word("dense_act_fn", "activation", name, ACTIVATION_WORDS)
        if gate not in ("", "gated") or type(gated) is not bool:
            raise ValueError(f"its {self.theirs} is {said!r}; there are relu and gated-gelu")
        return {"kind": "gated" if gated else "plain", "activation": word.read(entries)}

    def written(self, value: Any) -> Any:
        """Their word."""
        name = Word(self.theirs, self.ours, None, ACTIVATION_WORDS).written(value.activation)
        if not isinstance(value, Gated):
            return name
        return "gated-" + {"gelu": "gelu_python", "gelu_new": "gelu"}.get(name, name)


WORDS = (
    Word("vocab_size", "vocab", 32128),
    Word("d_model", "embed_dim", 512),
    Word("num_layers", "layers", 6),
    Word("num_heads", "num_heads", 8),
    Word("d_kv", "head_dim", 64),
    Word("d_ff", "ff_dim", 2048),
    Hidden(),
    Word("relative_attention_num_buckets", "buckets", 32),
    Word("relative_attention_max_distance", "max_distance", 128),
    Word("dropout_rate", "dropout", 0.1),
    Word("dropout_rate", "attention.dropout", 0.1),
    Word("layer_norm_epsilon", "norm_eps", 1e-6),
    Word("initializer_factor", "init_factor", 1.0),
    OneToken("pad_token_id", "pad", 0),
)
OUTPUT = "lm_head.weight"
WRITERS = (None, ["T5ForConditionalGeneration"], ["T5WithLMHeadModel"])
"""What may be said of a T5 that has an output; one without writes by its embedding."""
COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", OUTPUT)


@dataclass(frozen=True)
class Scaled(Word):
    """Whether the output is scaled: older files have no word for it but that of the tie."""

    theirs: str = "scale_decoder_outputs"
    ours: str = "scaled"
    usual: Any = True

    def read(self, entries: Mapping[str, Any]) -> Any:
        """What is said, or else whether the output is tied."""
        return entries.get(self.theirs, entries.get("tie_word_embeddings", True))


def told(theirs: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """What only the files say: whether there is an output layer beside the embedding.

    `transformers` writes today that every T5 is tied, and then whether the output is scaled.
    """
    if theirs.get("architectures") == ["T5EncoderModel"]:
        return {}
    if theirs.get("architectures") not in WRITERS and names and OUTPUT not in names:
        return {"tied": True}
    if OUTPUT in names and theirs.get("scale_decoder_outputs") is False:
        return {"tied": False}
    return {}


def rules(config: Any, prefix: str) -> list[Rule]:
    """The tensors of a network of this family."""
    whole = config.tag == "t5"
    mine = f"{prefix}encoder"
    found = [
        Rule(("encoder." if whole else "") + "tokens.weight", (f"{prefix}shared.weight",)),
        *_stack(config, "encoder." if whole else "", "stack", mine, config.layers),
    ]
    if whole:
        layers = config.decoder_layers or config.layers
        found += _stack(config, "", "decoder", f"{prefix}decoder", layers)
        if not config.tied:
            found += same("output", "lm_head", "weight")
    return found


def _stack(config: Any, place: str, stack: str, theirs: str, layers: int) -> list[Rule]:
    """The blocks of the encoder or the decoder, the bias that they share, the last norm."""
    table = f"{theirs}.block.0.layer.0.SelfAttention.relative_attention_bias"
    found = same(f"{place}bias", table, "weight")
    inner, gated = config.num_heads * config.head_dim, isinstance(config.feed_forward, Gated)
    hidden = {"gate": "wi_0", "hidden": "wi_1"} if gated else {"hidden": "wi"}
    for number in range(layers):
        mine, yours = f"{place}{stack}.blocks.{number}", f"{theirs}.block.{number}.layer"
        found += _attention(f"{mine}.attention", f"{yours}.0.SelfAttention", inner, "qkv")
        found += same(f"{mine}.attention_residual.norm", f"{yours}.0.layer_norm", "weight")
        if stack == "decoder":
            found += _attention(
                f"{mine}.cross_attention", f"{yours}.1.EncDecAttention", inner, "kv"
            )
            found += same(f"{mine}.cross_residual.norm", f"{yours}.1.layer_norm", "weight")
        last = f"{yours}.{2 if stack == 'decoder' else 1}"
        for name, word in {**hidden, "output": "wo"}.items():
            found += same(f"{mine}.feed_forward.{name}", f"{last}.DenseReluDense.{word}", "weight")
        found += same(f"{mine}.feed_forward_residual.norm", f"{last}.layer_norm", "weight")
    return found + same(f"{place}norm", f"{theirs}.final_layer_norm", "weight")


def _attention(ours: str, theirs: str, inner: int, stacked: str) -> list[Rule]:
    """Queries, keys and values, of which those of one input stand in one matrix; the output."""
    names = tuple(f"{theirs}.{each}.weight" for each in stacked)
    place = "input" if stacked == "qkv" else "input.key_value_input"
    found = same(f"{ours}.heads.output", f"{theirs}.o", "weight")
    found.append(Rule(f"{ours}.heads.{place}.weight", names, Stacked((inner,) * len(stacked))))
    if stacked == "kv":
        found += same(f"{ours}.heads.input.query_input", f"{theirs}.q", "weight")
    return found


FAMILY = Family(
    model_type="t5",
    networks={
        "T5ForConditionalGeneration": "t5",
        "T5WithLMHeadModel": "t5",
        "T5Model": "t5",
        "T5EncoderModel": "t5_encoder",
    },
    words=WORDS,
    head_words={
        "t5": (
            Word("num_decoder_layers", "decoder_layers", None),
            Word("tie_word_embeddings", "tied", True),
            Scaled(),
            OneToken("decoder_start_token_id", "begin", 0),
            EndTokens(usual=1),
            OneToken("forced_bos_token_id", "first", None),
        )
    },
    rules=rules,
    prefix="",
    only={"is_decoder": (False,)},
    told=told,
    copies={name: "shared.weight" for name in COPIES},
    # A table that the first files of T5 hold, and nothing reads.
    dropped=("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",),
    aside={"t5_encoder": ("decoder.", OUTPUT)},
    ignored=frozenset(
        "dense_act_fn is_gated_act n_positions classifier_dropout tie_word_embeddings "
        "num_decoder_layers scale_decoder_outputs".split()
    ),
)

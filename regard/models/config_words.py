"""Two-way conversion between a published family's options and ours, as data: `Word`s."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from regard._printable import shown


@dataclass(frozen=True)
class Word:
    """One of their options as one of ours.

    Args:
        theirs: its name in their `config.json`.
        ours: the path of ours, with dots.
        usual: the default if they omit it.
        values: their values → ours, where they differ.
    """

    theirs: str
    ours: str
    usual: Any
    values: Mapping[Any, Any] | None = None

    def read(self, entries: Mapping[str, Any]) -> Any:
        """Our value; raises `ValueError` for an unknown one of theirs."""
        value = entries.get(self.theirs, self.usual)
        if self.values is None:
            return value
        if isinstance(value, (dict, list)) or value not in self.values:
            known = ", ".join(map(str, self.values))
            raise ValueError(f"its {self.theirs} is {shown(value)}; there are {known}")
        return self.values[value]

    def written(self, value: Any) -> Any:
        """Their value."""
        if self.values is None:
            return list(value) if isinstance(value, tuple) else value
        return next(theirs for theirs, ours in self.values.items() if ours == value)

    def says(self, value: Any) -> bool:
        """Whether their format can express it."""
        return self.values is None or value in self.values.values()


@dataclass(frozen=True)
class CountOfLabels(Word):
    """The number of labels: they name each, and older files also count them."""

    theirs: str = "id2label"
    ours: str = "classes"
    usual: Any = 2

    def read(self, entries: Mapping[str, Any]) -> Any:
        """The stated number, or else that of the names."""
        named = entries.get(self.theirs)
        said = entries.get("num_labels")
        return said or (len(named) if isinstance(named, dict) else self.usual)

    def written(self, value: Any) -> Any:
        """A name for each."""
        return {str(number): name for number, name in enumerate(numbered(value))}


def numbered(count: int) -> tuple[str, ...]:
    """The names of unnamed labels.

    >>> numbered(2)
    ('LABEL_0', 'LABEL_1')
    """
    return tuple(f"LABEL_{number}" for number in range(count))


def label_names(theirs: Mapping[str, Any], count: Any) -> tuple[str, ...]:
    """The names of this many labels; none if all are just numbered, or the number differs.

    >>> label_names({"id2label": {"1": "good"}}, 2)
    ('LABEL_0', 'good')
    """
    named = theirs.get("id2label")
    if type(count) is not int or not isinstance(named, dict) or len(named) > count:
        return ()
    usual = numbered(count)
    found = tuple(str(named.get(str(number), name)) for number, name in enumerate(usual))
    return () if found == usual else found


@dataclass(frozen=True)
class EndTokens(Word):
    """The tokens that end a text: a number, several, or none."""

    theirs: str = "eos_token_id"
    ours: str = "ends"
    usual: Any = None

    def read(self, entries: Mapping[str, Any]) -> Any:
        """All of them; raises `ValueError` for anything but numbers."""
        value = entries.get(self.theirs, self.usual)
        found = value if isinstance(value, list) else [value]
        tokens = [_token(self.theirs, each) for each in found]
        return tuple(token for token in tokens if token is not None)

    def written(self, value: Any) -> Any:
        """A single one as a number."""
        return list(value) if len(value) > 1 else next(iter(value), None)


@dataclass(frozen=True)
class OneToken(Word):
    """A token id, or none; old files use -1 for none."""

    def read(self, entries: Mapping[str, Any]) -> Any:
        """The id; raises `ValueError` for anything else."""
        return _token(self.theirs, entries.get(self.theirs, self.usual))


def _token(theirs: str, value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise ValueError(f"its {theirs} is {shown(value)}, which is no token")
    return None if value is None or value < 0 else value


TOKEN_WORDS = (
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
)
"""Tokens that decoding needs, which may also be in `generation_config.json`."""


PAD = OneToken("pad_token_id", "pad", None)


ACTIVATION_WORDS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""Hugging Face's names of the activations."""


IGNORED = frozenset(
    """
    architectures model_type transformers_version torch_dtype dtype _name_or_path name_or_path
    use_cache output_attentions output_hidden_states output_past return_dict torchscript
    tokenizer_class use_bfloat16 pruned_heads gradient_checkpointing chunk_size_feed_forward
    problem_type finetuning_task task_specific_params prefix label2id id2label num_labels auto_map
    is_encoder_decoder cross_attention_hidden_size tie_encoder_decoder xla_device
    _attn_implementation _commit_hash
    bos_token_id eos_token_id eos_token_ids pad_token_id sep_token_id cls_token_id mask_token_id
    decoder_start_token_id forced_bos_token_id forced_eos_token_id suppress_tokens
    begin_suppress_tokens bad_words_ids do_sample early_stopping num_beams num_beam_groups
    diversity_penalty temperature top_k top_p typical_p repetition_penalty length_penalty
    no_repeat_ngram_size encoder_no_repeat_ngram_size num_return_sequences max_length min_length
    output_scores return_dict_in_generate remove_invalid_values exponential_decay_length_penalty
    initializer_factor use_mems_eval use_mems_train
    """.split()
)
"""Keys of `config.json` that do not affect the network: training, generation, bookkeeping."""

"""Two-way conversion between a published family's tensors and configuration and ours, as data.

A family's `convert.py` has two tables. `Word`s map their options to ours, `Rule`s their tensors to
ours. `load` applies both forward, `save` in reverse.
"""

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from regard._io.unwrapping import places, unwrapped
from regard._printable import shown
from regard.config import Config
from regard.errors import CheckpointMismatch


@runtime_checkable
class Edit(Protocol):
    """How several of their tensors become one of ours, and the reverse."""

    def join(self, theirs: Sequence[Tensor]) -> Tensor: ...

    def split(self, ours: Tensor) -> Sequence[Tensor]: ...


@dataclass(frozen=True)
class Same:
    """Theirs is ours."""

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """The only one."""
        return theirs[0]

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """The only one."""
        return [ours]


@dataclass(frozen=True)
class Stacked:
    """Ours is several of theirs stacked by rows: queries, keys and values by one product.

    Args:
        sizes: how many rows each has.
    """

    sizes: tuple[int, ...]

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """Stack by rows."""
        return torch.cat(list(theirs))

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """Split by rows."""
        return ours.split(list(self.sizes))


@dataclass(frozen=True)
class Transposed:
    """Theirs is transposed: GPT-2's layers, which are written as convolutions."""

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """Transpose."""
        return theirs[0].mT

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """Transpose back."""
        return [ours.mT]


@dataclass(frozen=True)
class Reshaped:
    """Theirs has the same values in another shape, such as a non-overlapping patch convolution.

    Args:
        ours: our shape.
        theirs: their shape.
    """

    ours: tuple[int, ...]
    theirs: tuple[int, ...]

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """In our shape."""
        return theirs[0].reshape(self.ours)

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """In their shape."""
        return [ours.reshape(self.theirs)]


@dataclass(frozen=True)
class First:
    """Ours is the first of theirs, and the others are unused copies."""

    copies: int = 1

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """The first."""
        return theirs[0]

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """Repeat it."""
        return [ours] * (1 + self.copies)


@dataclass(frozen=True)
class Rule:
    """Which tensors of theirs make up one of ours.

    Args:
        ours: its name.
        theirs: their names, in the order `edit` takes them.
    """

    ours: str
    theirs: tuple[str, ...]
    edit: Edit = Same()


def same(ours: str, theirs: str, *leaves: str) -> list[Rule]:
    """Rules for identical tensors: a layer's `weight` and `bias`, or other leaves.

    >>> [rule.theirs for rule in same("norm", "LayerNorm")]
    [('LayerNorm.weight',), ('LayerNorm.bias',)]
    """
    names = leaves or ("weight", "bias")
    return [Rule(f"{ours}.{leaf}", (f"{theirs}.{leaf}",)) for leaf in names]


def fill(
    model: Any, rules: Sequence[Rule], tensors: Mapping[str, Tensor], dropped: tuple[str, ...] = ()
) -> Any:
    """A network with their tensors, for evaluation.

    Args:
        dropped: ends and beginnings of names of theirs that no number depends on.

    Raises `CheckpointMismatch`, naming all that is missing, left over or of another shape.
    """
    state, taken = model.state_dict(), dict[str, Tensor]()
    missing, wrong = list[str](), dict[str, tuple[Sequence[int], Sequence[int]]]()
    for rule in rules:
        parts = rule.edit.split(state[rule.ours])
        found = [tensors.get(name) for name in rule.theirs]
        for name, part, tensor in zip(rule.theirs, parts, found, strict=True):
            if tensor is None:
                missing.append(name)
            elif tensor.shape != part.shape:
                wrong[name] = tuple(tensor.shape), tuple(part.shape)
        there = [each for each in found if each is not None]
        if len(there) == len(found) and not wrong:
            taken[rule.ours] = rule.edit.join(there)
    known = {name for rule in rules for name in rule.theirs}
    some = (*dropped, "\0")
    left = [n for n in tensors.keys() - known if not (n.endswith(some) or n.startswith(some))]
    if missing or left or wrong:
        raise CheckpointMismatch(missing, left, wrong)
    model.load_state_dict({**state, **taken})
    return model.eval()


def theirs_of(model: Any, rules: Sequence[Rule]) -> dict[str, Tensor]:
    """A network's tensors by their names."""
    state = model.state_dict()
    return {
        name: part
        for rule in rules
        for name, part in zip(rule.theirs, rule.edit.split(state[rule.ours]), strict=True)
    }


def told_by(tensors: Any, signs: Sequence[str], part: str | None = None) -> Mapping[str, Tensor]:
    """The table of a checkpoint in which names of theirs are; it itself where none are.

    Warns where it is not the checkpoint itself. Raises `ValueError` where several are.
    """
    wanted = dict.fromkeys(signs)
    if not places(tensors, wanted):
        return tensors
    found = unwrapped(tensors, wanted, part)
    if str(found):
        warnings.warn(f"the weights are those of {found}", stacklevel=4)
    return found.tensors


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


@dataclass(frozen=True)
class Family:
    """One published family.

    Args:
        model_type: its name in `config.json`.
        networks: their architectures → our networks, the body first; if several map to the same,
            the first one is written.
        words: their options as ours.
        only: options of theirs with the values supported here; any other is an error.
        prefix: prefix of the names of the body's tensors in networks with a head.
        prefixes: network of ours → a different prefix.
        rules: the tensors of a network with this configuration, of the body under this prefix.
        dropped: suffixes of names that are not weights of ours, such as buffers of old files.
        renamed: suffixes in old files, and their current form.
        ignored: options of theirs that have no effect here, besides those of all families.
        head_words: additional options of theirs for individual networks.
        implied: architecture → options of ours implied by its name.
        heads: name prefixes of heads, which may be present without being used.
        always: options of ours implied by the family.
        told: options of ours inferred from tensor names, besides `config.json`.
        copies: duplicate names in some files → the tensor that they are a copy of, without the
            prefix of the body.
        aside: network of ours → name prefixes of what it ignores.
        optional: network of ours → what it may lack, an option that is then false, and a part of
            the names of the tensors whose absence shows it.
        beside: options of ours that are in its tokenizer files.
    """

    model_type: str
    networks: Mapping[str, str]
    words: Sequence[Word]
    rules: Callable[[Any, str], list[Rule]]
    prefix: str
    prefixes: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    head_words: Mapping[str, Sequence[Word]] = field(default_factory=dict)
    implied: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    heads: tuple[str, ...] = ()
    always: Mapping[str, Any] = field(default_factory=dict)
    told: Callable[[Mapping[str, Any], Collection[str]], dict[str, Any]] = lambda theirs, names: {}
    copies: Mapping[str, str] = field(default_factory=dict)
    aside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()

    def fits(self, config: Any) -> bool:
        """Whether a network of this configuration may be one of this family."""
        if config.tag not in self.networks.values():
            return False
        return all(getattr(config, key) == value for key, value in self.always.items())

    def prefix_of(self, network: str) -> str:
        """The prefix of the body's tensors in this network of ours."""
        if network == next(iter(self.networks.values())):
            return ""
        return self.prefixes.get(network, self.prefix)

    def words_of(self, network: str) -> list[Word]:
        """Their options that this network of ours has."""
        return [*self.words, *self.head_words.get(network, ())]

    def entries(self, theirs: Mapping[str, Any], architecture: str) -> dict[str, Any]:
        """Our configuration's entries; raises `ValueError` for what is not supported here."""
        network = self.networks[architecture]
        for name, values in self.only.items():
            if name in theirs and theirs[name] not in values:
                known = " or ".join(map(shown, values))
                raise ValueError(
                    f"its {name} is {shown(theirs[name])}, which is not computed here; it must be "
                    f"{known}"
                )
        found: dict[str, Any] = {}
        for word in self.words_of(network):
            *path, last = word.ours.split(".")
            inner = found
            for step in path:
                inner = inner.setdefault(step, {})
            inner[last] = word.read(theirs)
        if any(isinstance(word, CountOfLabels) for word in self.words_of(network)):
            found["labels"] = label_names(theirs, found["classes"])
        return {**found, **self.always, **self.implied.get(architecture, {})}

    def lacking(self, network: str, names: Collection[str]) -> dict[str, bool]:
        """The optional parts of a network of ours that a folder with these tensors lacks."""
        parts = self.optional.get(network, {}) if names else {}
        absent = {
            option for option, part in parts.items() if not any(part in name for name in names)
        }
        return dict.fromkeys(absent, False)

    def unknown(self, theirs: Mapping[str, Any], network: str) -> list[str]:
        """The keys of their `config.json` that are not read here."""
        read = {word.theirs for word in self.words_of(network)}
        return sorted(set(theirs) - read - set(self.only) - IGNORED - self.ignored)

    def architecture(self, config: Any) -> str:
        """Their name of a network with this configuration."""
        fits = [theirs for theirs, ours in self.networks.items() if ours == config.tag]
        said = [
            name
            for name in fits
            if name in self.implied
            and all(getattr(config, key) == value for key, value in self.implied[name].items())
        ]
        return (said or [name for name in fits if name not in self.implied])[0]

    def unsaid(self, config: Any) -> list[str]:
        """Our options that their format cannot express, and that are not the default."""
        words = {word.ours: word for word in self.words_of(config.tag)}
        alone = {key for each in self.implied.values() for key in each}
        found = [key for key, value in self.always.items() if getattr(config, key) != value]
        found += [name for name, word in words.items() if not word.says(_at(config, name))]
        for path, value, usual in _leaves(config):
            known = {*words, *alone, *self.always, *self.beside}
            known |= {"labels", *self.optional.get(config.tag, ())}
            if value != usual and known.isdisjoint(_with_outer(path)):
                found.append(path)
        return found or self._at_odds(config)

    def _at_odds(self, config: Any) -> list[str]:
        """Our options that one word of theirs says together with another, of another value."""
        written: dict[str, Any] = {}
        found = []
        for word in self.words_of(config.tag):
            value = word.written(_at(config, word.ours))
            try:
                written[word.theirs] = _together(written.get(word.theirs, value), value)
            except ValueError:
                found.append(word.ours)
        return found

    def their_entries(self, config: Any) -> dict[str, Any]:
        """Their `config.json` for our configuration."""
        found: dict[str, Any] = {}
        for word in self.words_of(config.tag):
            value = word.written(_at(config, word.ours))
            found[word.theirs] = _together(found.get(word.theirs, value), value)
        if "id2label" in found:
            if len(config.labels) == config.classes:
                found["id2label"] = {str(n): name for n, name in enumerate(config.labels)}
            found["label2id"] = {name: int(number) for number, name in found["id2label"].items()}
        return {
            "architectures": [self.architecture(config)],
            "model_type": self.model_type,
            **found,
        }


def _together(said: Any, value: Any) -> Any:
    """What two words of ours say under one name of theirs; raises `ValueError` where they differ.

    >>> _together({"rope_theta": 1.0}, {"factor": 8.0})
    {'rope_theta': 1.0, 'factor': 8.0}
    """
    if isinstance(said, dict) and isinstance(value, dict):
        if any(said[key] != value[key] for key in said.keys() & value.keys()):
            raise ValueError("two tables differ")
        return said | value
    if said != value:
        raise ValueError("two values differ")
    return value


def _leaves(config: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path, value and default of every option, those of inner configurations too."""
    for each in fields(config):
        value = getattr(config, each.name)
        if isinstance(value, Config):
            yield from _leaves(value, f"{place}{each.name}.")
        else:
            yield place + each.name, value, each.default


def _with_outer(path: str) -> list[str]:
    """A path and those of the configurations around it."""
    steps = path.split(".")
    return [".".join(steps[: n + 1]) for n in range(len(steps))]


def _at(config: Any, path: str) -> Any:
    """The option at a path with dots."""
    for step in path.split("."):
        config = getattr(config, step)
    return config

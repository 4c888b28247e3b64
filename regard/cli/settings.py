"""All settings of a run in one tree: what `config.toml` holds and `--set` changes."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_type_hints

from regard.cli.mistake import Mistake
from regard.cli.names import NORMALIZERS, SCORE_MODS, SCORES, hint
from regard.cli.toml import as_toml
from regard.data.tokenizer import KINDS
from regard.train.config import TrainConfig

CHOICES: dict[str, Collection[str]] = {
    "name": ("transformer", "rnnsearch"),
    "score": SCORES,
    "score_mod": SCORE_MODS,
    "normalizer": NORMALIZERS,
    "positions": ("sinusoidal", "learned", "rope", "none"),
    "norm": ("post", "pre"),
    "activation": ("relu", "gelu", "swiglu"),
    "tied": ("none", "output", "all"),
}
"""What the settings of a model that are names may be."""


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """What is learned from, and in what portions.

    Args:
        path: a file, a folder or `hf:owner/name`.
        task: what the data is read as.
        source, target: languages or columns, where the data has more than one choice.
        encoding: of text files.
        streaming: read while training, for data larger than the disk.
        longest: tokens of an example; longer ones are left out of training, and counted.
        batch_tokens: cells of a micro-batch, padding included.
        batch_size: blocks in a micro-batch of a language model.
        block: tokens a language model reads at once.
        smoothing: of the labels.
        languages: of dates.
    """

    path: str = ""
    task: str = ""
    source: str = ""
    target: str = ""
    encoding: str = "utf-8"
    streaming: bool = False
    longest: int = 256
    batch_tokens: int = 4096
    batch_size: int = 12
    block: int = 64
    smoothing: float = 0.1
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_counts(self, "longest", "batch_tokens", "batch_size", "block")
        _require_shares(self, "smoothing")


@dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """How text is cut: `bpe`, `wordpiece`, `unigram` or `characters`.

    Args:
        size: of the vocabulary, at most.
        joint: one vocabulary for both languages.
        lowercase: read and write without case.
    """

    kind: str = "bpe"
    size: int = 8000
    joint: bool = True
    lowercase: bool = False

    def __post_init__(self) -> None:
        _require_counts(self, "size")
        _require_choice("kind", self.kind, KINDS)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Which network, of what size, with which attention.

    Args:
        name: `transformer` or `rnnsearch`.
        score, score_mod, normalizer: the parts of its attention.
        window: keys to either side that a self-attention may see; 0 is all.
        positions: `sinusoidal`, `learned`, `rope` or `none`.
        norm: `post` as published, or `pre`.
        tied: which embeddings are one: `none`, `output` or `all`.
        ff_dim: width of the feed-forward layer, or of RNNsearch's hidden states.
        align_dim: width of the hidden layer of RNNsearch's score.
        maxout_dim: width of RNNsearch's deep output.
    """

    name: str = "transformer"
    score: str = "scaled_dot"
    score_mod: str = "none"
    normalizer: str = "softmax"
    window: int = 0
    positions: str = "sinusoidal"
    embed_dim: int = 128
    num_heads: int = 4
    ff_dim: int = 256
    layers: int = 4
    norm: str = "post"
    activation: str = "relu"
    tied: str = "all"
    dropout: float = 0.1
    attention_dropout: float = 0.0
    align_dim: int = 128
    maxout_dim: int = 128

    def __post_init__(self) -> None:
        sizes = ("embed_dim", "num_heads", "ff_dim", "layers", "align_dim", "maxout_dim")
        _require_counts(self, *sizes)
        _require_shares(self, "dropout", "attention_dropout")
        for name, choices in CHOICES.items():
            _require_choice(name, getattr(self, name), choices)
        if self.window < 0:
            raise ValueError(f"window must be at least 0, got {self.window}")
        if self.name == "transformer" and self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not divisible by num_heads {self.num_heads}"
            )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that defines a run."""

    data: DataSettings = field(default_factory=DataSettings)
    tokens: TokenSettings = field(default_factory=TokenSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainConfig

    def toml(self) -> str:
        """The text of `config.toml`."""
        return as_toml({f.name: asdict(getattr(self, f.name)) for f in fields(self)})


SECTIONS: dict[str, type] = {
    "data": DataSettings,
    "tokens": TokenSettings,
    "model": ModelSettings,
    "train": TrainConfig,
}
Entries = dict[str, dict[str, Any]]


def settings_of(*layers: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The settings that these layers give, later ones over earlier ones.

    Raises `Mistake` for an unknown section or key, with the nearest three, and for a wrong value.
    """
    merged: Entries = {name: {} for name in SECTIONS}
    for layer in layers:
        for section, entries in layer.items():
            if section not in SECTIONS:
                raise Mistake(f"there is no section [{section}]{_nearest(section, SECTIONS)}")
            merged[section].update(entries)
    made = {}
    for section, kind in SECTIONS.items():
        types = get_type_hints(kind)
        values = {}
        for key, value in merged[section].items():
            if key not in types:
                raise Mistake(f"there is no setting {section}.{key}{_nearest(key, types)}")
            values[key] = _typed(f"{section}.{key}", value, types[key])
        try:
            made[section] = kind(**values)
        except (ValueError, TypeError) as error:
            raise Mistake(f"[{section}] {error}") from None
    return Settings(**made)


def read_toml(path: Path) -> Entries:
    """The entries of a file; raises `Mistake` when it cannot be read."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Mistake(f"{path} cannot be read: {error}") from None
    loose = [key for key, value in found.items() if not isinstance(value, dict)]
    if loose:
        raise Mistake(f"{path}: {loose[0]} stands in no section; put it under one of {_listed()}")
    return found


def read_assignments(texts: Sequence[str]) -> Entries:
    """The entries that `--set key=value` gives; `section.key` where a key stands in several.

    >>> read_assignments(["learning_rate=1e-3", "model.norm=pre"])
    {'train': {'learning_rate': 0.001}, 'model': {'norm': 'pre'}}
    """
    entries: Entries = {}
    homes: dict[str, list[str]] = {}
    for section, kind in SECTIONS.items():
        for each in fields(kind):
            homes.setdefault(each.name, []).append(section)
    for text in texts:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().rpartition(".")
        if not equals:
            raise Mistake(f"--set takes key=value, such as learning_rate=1e-3; got {text!r}")
        if not dot and key not in homes:
            raise Mistake(f"there is no setting {key!r}{_nearest(key, homes)}")
        if dot and section not in SECTIONS:
            raise Mistake(f"there is no section {section!r}{_nearest(section, SECTIONS)}")
        if not dot and len(homes[key]) > 1:
            raise Mistake(
                f"{key} stands in {' and '.join(homes[key])}; write {homes[key][0]}.{key}"
            )
        entries.setdefault(section or homes[key][0], {})[key] = _parsed(value.strip())
    return entries


def differences(old: Settings, new: Settings) -> list[str]:
    """Every setting that is not the same, as `key is OLD in the run and NEW now`."""
    return [
        f"{section}.{each.name} is {was!r} in the run and {now!r} now"
        for section in SECTIONS
        for each in fields(SECTIONS[section])
        for was in [getattr(getattr(old, section), each.name)]
        for now in [getattr(getattr(new, section), each.name)]
        if was != now
    ]


def _require_counts(section: Any, *names: str) -> None:
    for name in names:
        if getattr(section, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(section, name)}")


def _require_shares(section: Any, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(section, name) < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(section, name)}")


def _require_choice(name: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise ValueError(f"there is no {name} {value!r}: {hint(value, choices)}")


def _parsed(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def _typed(name: str, value: Any, kind: Any) -> Any:
    """A value as its field has it; whole numbers pass for floats, lists for tuples."""
    allowed = get_args(kind) if type(None) in get_args(kind) else (kind,)
    if float in allowed and type(value) is int:
        return float(value)
    if int in allowed and type(value) is float and value.is_integer():
        return int(value)
    if kind == tuple[str, ...] and isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if kind == tuple[str, ...] and isinstance(value, (list, tuple)):
        return tuple(str(part) for part in value)
    if any(type(value) is each for each in allowed if isinstance(each, type)):
        return value
    wanted = " or ".join(each.__name__ for each in allowed if each is not type(None))
    raise Mistake(f"{name} must be {wanted}, got {value!r}")


def _nearest(word: str, known: Any) -> str:
    near = get_close_matches(word, list(known), 3, 0.4)
    return f", did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(known)}"


def _listed() -> str:
    return ", ".join(f"[{name}]" for name in SECTIONS)

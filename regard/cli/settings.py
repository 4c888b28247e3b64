"""All settings of a run in one tree: what `config.toml` holds and `--set` changes."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_type_hints

from regard.cli.mistake import Mistake
from regard.cli.names import hint
from regard.cli.networks import NETWORKS, ModelSettings, Network
from regard.cli.networks.network import require_choice, require_counts, require_shares
from regard.cli.networks.transformer import TransformerSettings
from regard.cli.toml import as_toml
from regard.data.encoding.tokenizer import KINDS
from regard.train.config import TrainConfig


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
        require_counts(self, "longest", "batch_tokens", "batch_size", "block")
        require_shares(self, "smoothing")


@dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """How text is cut: `bpe`, `wordpiece`, `unigram`, `words` or `characters`.

    Args:
        size: of the vocabulary, at most.
        sentences: mark the end of every sentence, for documents.
        joint: one vocabulary for both languages.
        lowercase: read and write without case.
    """

    kind: str = "bpe"
    size: int = 8000
    joint: bool = True
    lowercase: bool = False
    sentences: bool = False

    def __post_init__(self) -> None:
        require_counts(self, "size")
        require_choice("kind", self.kind, KINDS)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that defines a run."""

    data: DataSettings = field(default_factory=DataSettings)
    tokens: TokenSettings = field(default_factory=TokenSettings)
    model: ModelSettings = field(default_factory=TransformerSettings)
    train: TrainConfig

    def toml(self) -> str:
        """The text of `config.toml`."""
        return as_toml({f.name: asdict(getattr(self, f.name)) for f in fields(self)})


SECTIONS: dict[str, tuple[type, ...]] = {
    "data": (DataSettings,),
    "tokens": (TokenSettings,),
    "model": tuple(network.settings for network in NETWORKS.values()),
    "train": (TrainConfig,),
}
"""Section → what it may hold; `[model]` is of the network that it names."""
Entries = dict[str, dict[str, Any]]
Layer = Mapping[str, Mapping[str, Any]]


def settings_of(*layers: Layer) -> Settings:
    """The settings that these layers give, later ones over earlier ones.

    Raises `Mistake` for an unknown section or key, with the nearest three, and for a wrong value.
    """
    merged = _merged(layers)
    kinds = {section: kinds[0] for section, kinds in SECTIONS.items()}
    kinds["model"] = _network(merged["model"].get("name", "transformer")).settings
    return Settings(**{s: _section(s, kind, merged[s]) for s, kind in kinds.items()})


def data_of(*layers: Layer) -> DataSettings:
    """What these layers say of the data, before that has decided upon the network."""
    return _section("data", DataSettings, _merged(layers)["data"])


def check(*layers: Layer) -> None:
    """Raise `Mistake` for what is wrong with these layers, whatever the data may decide yet."""
    merged = _merged(layers)
    given = merged["model"]
    names = [given["name"]] if "name" in given else list(NETWORKS)
    fit = [name for name in names if given.keys() <= {*fields_of(_network(name).settings)}]
    mistakes = []
    for name in fit or names[:1]:
        try:
            settings_of({"train": {"steps": 1}}, merged, {"model": {"name": name}})
            return
        except Mistake as mistake:
            mistakes.append(mistake)
    raise mistakes[0]


def _merged(layers: Sequence[Layer]) -> Entries:
    merged: Entries = {name: {} for name in SECTIONS}
    for layer in layers:
        for section, entries in layer.items():
            if section not in SECTIONS:
                raise Mistake(f"there is no section [{section}]{_nearest(section, SECTIONS)}")
            old, new = merged["model"].get("name"), entries.get("name")
            if section == "model" and old and new and old != new:
                # Another network: what was said of the one before does not concern it.
                merged["model"] = {}
            merged[section].update(entries)
    return merged


def _network(name: Any) -> Network:
    if name not in NETWORKS:
        raise Mistake(f"[model] there is no name {name!r}: {hint(str(name), NETWORKS)}")
    return NETWORKS[name]


def _section(section: str, kind: type, entries: Mapping[str, Any]) -> Any:
    """One section's settings."""
    types, values = get_type_hints(kind), {}
    known = [each.name for each in fields(kind)]
    for key, value in entries.items():
        if key not in known:
            raise Mistake(f"there is no setting {section}.{key}{_others(section, key, known)}")
        values[key] = _typed(f"{section}.{key}", value, types[key])
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        raise Mistake(f"[{section}] {error}") from None


PARTS = {"score": "--attention", "normalizer": "--normalizer"}
"""Settings with an option of their own, which a user gives before looking at the network."""


def _others(section: str, key: str, known: Sequence[str]) -> str:
    """Whose setting that would be, or which one may have been meant."""
    if section == "model":
        has = [name for name, network in NETWORKS.items() if key in fields_of(network.settings)]
        if has:
            if key in PARTS:
                return f" in this network, which has its own; leave {PARTS[key]} out"
            return f" in this network; say --model {' or '.join(has)}"
    return _nearest(key, known)


def fields_of(kind: type) -> list[str]:
    """The names of a section's settings."""
    return [each.name for each in fields(kind)]


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
    for section, kinds in SECTIONS.items():
        for key in dict.fromkeys(key for kind in kinds for key in fields_of(kind)):
            homes.setdefault(key, []).append(section)
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
    found = []
    for section in SECTIONS:
        was, now = (asdict(getattr(each, section)) for each in (old, new))
        for key in was | now:
            if was.get(key) != now.get(key):
                found.append(
                    f"{section}.{key} is {was.get(key)!r} in the run and {now.get(key)!r} now"
                )
    return found


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

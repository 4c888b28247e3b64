"""A published family of networks: its options and tensors, and what they are of ours.

Its `convert.py` has two tables. `Word`s map their options to ours, `Rule`s their tensors to ours.
`load` applies both forward, `save` in reverse.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from regard._printable import shown
from regard.config import Config
from regard.models.config_words import IGNORED, CountOfLabels, Word, label_names
from regard.models.tensor_rules import Rule


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

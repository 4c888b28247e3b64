"""What the command line knows of a network: its settings, how it is made, how it is read back."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from regard.cli.names import NORMALIZERS, SCORES, hint


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What every network has to be told; each adds its own.

    Whole numbers are at least 1 unless they are in `may_be_zero`, other numbers at least 0 and
    below 1, words one of those in `words`.

    Args:
        name: of the network.
        embed_dim: width of the embeddings.
    """

    parts: ClassVar[tuple[str, ...]] = ()
    """The names of parts, which a trained model keeps beside its sizes."""
    looks: ClassVar[tuple[str, ...]] = ()
    """The settings that say how the network attends, for people to read."""
    may_be_zero: ClassVar[frozenset[str]] = frozenset()
    words: ClassVar[dict[str, Collection[str]]] = {}

    name: str
    embed_dim: int = 128

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.type is int:
                require_counts(self, field.name, least=int(field.name not in self.may_be_zero))
            elif field.type is float:
                require_shares(self, field.name)
            elif field.name in self.words:
                require_choice(field.name, getattr(self, field.name), self.words[field.name])

    def about(self) -> dict[str, Any]:
        """The names of the parts."""
        return {name: getattr(self, name) for name in self.parts}

    def described(self) -> str:
        """How the network attends, in a few words."""
        named = (f"{name.replace('_', ' ')} {getattr(self, name)}" for name in self.looks)
        return ", ".join(named)


@dataclass(frozen=True, kw_only=True)
class AttendingSettings(ModelSettings):
    """Of a network whose attention can be put together from parts.

    Args:
        score, normalizer: the parts.
        dropout: share of the units that is left out while training.
    """

    parts: ClassVar[tuple[str, ...]] = ("score", "normalizer")
    words: ClassVar[dict[str, Collection[str]]] = {"score": SCORES, "normalizer": NORMALIZERS}

    name: str
    score: str = "scaled_dot"
    normalizer: str = "softmax"
    dropout: float = 0.1

    @property
    def attends(self) -> bool:
        """Whether there is an attention that has these parts."""
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in fields(self):
            if field.name in ("score", "normalizer") and not self.attends:
                value = getattr(self, field.name)
                if value != field.default:
                    raise ValueError(
                        f"{field.name} is {value!r}, but with {super().described()} there is no "
                        "attention that has one; leave it out"
                    )

    def described(self) -> str:
        parts = [self.score, self.normalizer] if self.attends else []
        return ", ".join(text for text in (super().described(), *parts) if text)


@dataclass(frozen=True)
class Network:
    """A network by name.

    Args:
        settings: the kind of `[model]` it takes.
        makers: task → a function of all settings and of the sizes that the data decides
            (`source_vocab`, `classes` ...) that makes the network.
        load: reads a network from a folder, with the names of its parts.
    """

    settings: type[ModelSettings]
    makers: Mapping[str, Callable[..., nn.Module]]
    load: Callable[[Path, Mapping[str, Any]], Any]


def require_counts(section: Any, *names: str, least: int = 1) -> None:
    """Raise `ValueError` unless these settings are at least so large."""
    for name in names:
        if getattr(section, name) < least:
            raise ValueError(f"{name} must be at least {least}, got {getattr(section, name)}")


def require_shares(section: Any, *names: str) -> None:
    """Raise `ValueError` unless these settings are shares of a whole."""
    for name in names:
        if not 0 <= getattr(section, name) < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(section, name)}")


def require_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise `ValueError`, with the nearest names, unless the value is one of these."""
    if value not in choices:
        raise ValueError(f"there is no {name} {value!r}: {hint(value, choices)}")

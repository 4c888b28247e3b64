"""What defines a network besides its parts: sizes and choices, checked, as JSON."""

import json
from abc import ABC
from dataclasses import asdict, fields
from types import NoneType
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

from regard._io.files import read_json

Config = TypeVar("Config", bound="Configuration")

WIDEST = 65_536
MOST_TOKENS = 1_000_000


class Configuration(ABC):
    """A frozen dataclass of integers (1 or more), probabilities (below 1) and named choices.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds.
    """

    model_type: ClassVar[str]
    """The name of the model in `config.json`."""
    limits: ClassVar[dict[str, int]] = {}
    """The greatest value of an integer, where it is not 65 536."""
    added: ClassVar[dict[str, Any]] = {}
    """What older files do not say, and what they mean by it."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            _check(field.name, getattr(self, field.name), field.type, self.limits)

    @classmethod
    def from_json(cls: type[Config], text: str) -> Config:
        """Read what `to_json` wrote, now or before the fields in `added` existed.

        Raises `ValueError` unless every other key is there and no further one, `TypeError` and
        `ValueError` as the constructor.
        """
        entries = read_json(text)
        if not isinstance(entries, dict) or entries.pop("model_type", None) != cls.model_type:
            raise ValueError(f'this is not the configuration of a "{cls.model_type}" model')
        entries = cls.added | entries
        names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        if entries.keys() != names:
            missing, unknown = sorted(names - entries.keys()), sorted(entries.keys() - names)
            raise ValueError(f"the configuration lacks {missing} and has unknown keys {unknown}")
        return cls(**entries)

    def to_json(self) -> str:
        """Write the values and the model's name."""
        entries = asdict(self)  # type: ignore[call-overload]
        return json.dumps({"model_type": self.model_type, **entries}, indent=2) + "\n"


def _check(name: str, value: object, kind: Any, limits: dict[str, int]) -> None:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            choices = ", ".join(repr(choice) for choice in get_args(kind))
            raise ValueError(f"{name} must be one of {choices}, got {value!r}")
    elif kind is float:
        if type(value) is not float:
            raise TypeError(f"{name} must be a number such as 0.1, got {value!r}")
        if not 0.0 <= value < 1.0:
            raise ValueError(f"{name} must be at least 0 and less than 1, got {value}")
    elif not (value is None and NoneType in get_args(kind)):
        limit = limits.get(name, WIDEST)
        if type(value) is not int:
            raise TypeError(f"{name} must be an integer, got {value!r}")
        if not 1 <= value <= limit:
            raise ValueError(f"{name} must be between 1 and {limit}, got {value}")

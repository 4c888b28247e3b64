"""Config: options declared once, the same in Python, JSON, TOML and on the command line."""

import json
import math
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from regard._io.files import read_json
from regard._nearest import nearest
from regard._printable import shortened, shown
from regard._spelling import Spelled, parse

Self = TypeVar("Self", bound="Config")

MOST_VALUES = 65_536
"""Of a field that holds several."""
LONGEST_WORD = 200
KIND = "kind"
"""The key that names which of several alternatives an entry is."""


@dataclass(frozen=True)
class Between:
    """The numbers from `least` to `most`; `above` and `below` exclude the ends."""

    least: int | float = -math.inf
    most: int | float = math.inf
    above: int | float = -math.inf
    below: int | float = math.inf

    def check(self, name: str, value: int | float) -> None:
        """Raise `ValueError` with the number and the bounds unless it lies between them."""
        inside = self.least <= value <= self.most and self.above < value < self.below
        if not inside or value != value:  # A whole number may be too large for `isnan`.
            unbounded = value == math.inf == min(self.most, self.below)
            finite = " and finite" if unbounded and str(self) != "finite" else ""
            raise ValueError(f"{name} must be {self}{finite}, got {shown(value)}")

    def __str__(self) -> str:
        said = [
            (self.above, "above {:g}"),
            (self.least, "at least {:g}"),
            (self.below, "below {:g}"),
            (self.most, "at most {:.15g}"),
        ]
        return " and ".join(text.format(x) for x, text in said if math.isfinite(x)) or "finite"


@runtime_checkable
class Conversion(Protocol):
    """An annotation of a field that converts the given value."""

    def converted(self, name: str, value: Any) -> Any:
        """The value; raises `ValueError` or `TypeError` with the field's name."""


Count = Annotated[int, Between(least=1, most=65_536)]
LargeCount = Annotated[int, Between(least=1, most=16_777_216)]
Natural = Annotated[int, Between(least=0, below=2.0**63)]
Token = Annotated[int, Between(least=0, most=2**31 - 1)]
Share = Annotated[float, Between(least=0.0, below=1.0)]
Positive = Annotated[float, Between(above=0.0, below=math.inf)]
NonNegative = Annotated[float, Between(least=0.0, below=math.inf)]


class Config:
    """The base class of frozen dataclasses of options.

    A field is a boolean, a number with bounds (`Count`, `Share`, ...), a value of a `Literal`, a
    string, a part by its name (see `regard.parts`), a tuple of one of these, another Config, one of
    several Configs (the entry says which by `kind`), or any of them or None. Every value is checked
    when the object is created. In a file or on a command line (`from_entries`), nested Configs may
    be given as text: `pooling = "hard(estimator=gumbel)"`.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds, with the
    field's name, the value and what is allowed.

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Mean(Config):
    ...     pass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Window(Config):
    ...     width: Count = 3
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Example(Config):
    ...     pooling: Mean | Window = Mean()
    ...     dropout: Share = 0.1
    >>> Example.from_entries({"pooling": "window(width=5)"}).to_entries()
    {'pooling': {'kind': 'window', 'width': 5}, 'dropout': 0.1}
    >>> Example(dropout=1.0)
    Traceback (most recent call last):
        ...
    ValueError: dropout must be at least 0 and below 1, got 1.0
    """

    tag: ClassVar[str]
    """The name of this alternative in text; by default, the class's name in lower case."""
    from_data: ClassVar[tuple[str, ...]] = ()
    """The fields that the data determines, rather than the user."""

    def __init_subclass__(cls) -> None:
        if "tag" not in cls.__dict__:
            cls.tag = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def __post_init__(self) -> None:
        for name, kind in fields_of(type(self)).items():
            object.__setattr__(self, name, checked(name, getattr(self, name), kind))

    def to_entries(self) -> dict[str, Any]:
        """All fields as plain values for JSON and TOML."""
        kinds = fields_of(type(self))
        return {name: plain(getattr(self, name), kinds[name]) for name in kinds}

    @classmethod
    def from_entries(cls: type[Self], entries: Mapping[str, Any]) -> Self:
        """The inverse of `to_entries`; fields with defaults may be missing.

        Raises `ValueError` with the nearest names for an unknown key, and for a missing one.
        """
        known = fields_of(cls)
        for key in entries:
            if key not in known:
                raise ValueError(
                    f"there is no {shortened(str(key))} in {cls.tag}; {nearest(str(key), known)}"
                )
        missing = [name for name in _needed(cls) if name not in entries]
        if missing:
            raise ValueError(f"{cls.tag} needs {', '.join(missing)}")
        return cls(**{name: checked(name, value, known[name]) for name, value in entries.items()})

    def spelled(self) -> str:
        """The object as text, without default values: `window(width=5)`."""
        return str(_spelled(self))


def to_json(config: Config, **more: Any) -> str:
    """A model's configuration as the text of `config.json`: its type, then its fields."""
    entries = {"model_type": config.tag, **config.to_entries(), **more}
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def from_json(text: str, kind: type[Self]) -> Self:
    """The inverse of `to_json`; raises `ValueError` for another model's configuration."""
    entries = read_json(text)
    if not isinstance(entries, dict) or entries.pop("model_type", None) != kind.tag:
        raise ValueError(f'this is not the configuration of a "{kind.tag}" model')
    return kind.from_entries(entries)


def fields_of(kind: Any) -> dict[str, Any]:
    """The names of a Config's fields and their types."""
    return _fields_of(kind)


@cache
def _fields_of(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def alternatives(kind: Any) -> tuple[type[Config], ...]:
    """The Configs that a field may hold; none if it holds plain values."""
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return tuple(each for each in options if isinstance(each, type) and issubclass(each, Config))


def walk(kind: type[Config], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every field with its path, including all alternatives: `("pooling", "estimator")`."""
    for name, held in fields_of(kind).items():
        yield (*path, name), held
        for option in alternatives(held):
            yield from walk(option, (*path, name))


def checked(name: str, value: Any, kind: Any) -> Any:
    """The value as its field holds it; raises `TypeError` or `ValueError` if it does not fit."""
    if get_origin(kind) is Annotated:
        base, *marks = get_args(kind)
        for mark in marks:
            if isinstance(mark, Conversion):
                return mark.converted(name, value)
        value = checked(name, value, base)
        for mark in marks:
            if isinstance(mark, Between):
                mark.check(name, value)
        return value
    if options := alternatives(kind):
        if (value is None or value == "none") and NoneType in get_args(kind):
            return None
        return _chosen(name, value, options)
    if get_origin(kind) in (Union, UnionType):
        return _one_of(name, value, get_args(kind))
    if get_origin(kind) is Literal:
        return _word(name, value, get_args(kind))
    if get_origin(kind) is tuple:
        return _tuple(name, value, get_args(kind)[0])
    return _scalar(name, value, kind)


def _scalar(name: str, value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        if value.bit_length() > 1000:
            raise ValueError(f"{name} must be a number that a float holds, got {shown(value)}")
        return float(value)
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    index = getattr(type(value), "__index__", None)
    if kind in (int, float) and type(value) is not bool and index and type(value) is not int:
        return kind(index(value))
    if type(value) is kind:
        return value
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    raise TypeError(f"{name} must be {words[kind]}, got {shown(value)}")


def _word(name: str, value: Any, words: tuple[Any, ...]) -> Any:
    if isinstance(value, Hashable) and value in words:
        return value
    known, word = [str(word) for word in words], _as_word(value)
    raise ValueError(f"there is no {name} {shown(word)}: {nearest(word, known)}")


def _as_word(value: Any) -> str:
    """What was given in the place of a word, short enough to look for the nearest."""
    return value[:LONGEST_WORD] if isinstance(value, str) else shown(value)


def _one_of(name: str, value: Any, kinds: tuple[Any, ...]) -> Any:
    """A value that may be None, too; text may call that `none`."""
    (kind,) = (each for each in kinds if each is not NoneType)
    return None if value is None or value == "none" else checked(name, value, kind)


def _tuple(name: str, value: Any, kind: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.strip("()[]").split(",") if part.strip()]
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"{name} must be several values with commas between, got {shown(value)}")
    if len(value) > MOST_VALUES:
        raise ValueError(f"{name} has {len(value):,} values, more than {MOST_VALUES:,}")
    return tuple(checked(f"{name}[{n}]", each, kind) for n, each in enumerate(value))


def _chosen(name: str, value: Any, options: tuple[type[Config], ...]) -> Config:
    """One of several Configs, from itself, its entries or its spelling."""
    if isinstance(value, options):
        return value
    by_kind = {option.tag: option for option in options}
    if isinstance(value, Mapping):
        entries = dict(value)
        word = options[0].tag if len(options) == 1 else entries.pop(KIND, None)
        args: tuple[Any, ...] = ()
    elif isinstance(value, (str, Spelled)):
        spelled = parse(value) if isinstance(value, str) else value
        word, args, entries = spelled.name, spelled.args, dict(spelled.kwargs)
    else:
        raise TypeError(f"{name} must be one of {', '.join(by_kind)}, got {shown(value)}")
    if not isinstance(word, str) or word not in by_kind:
        word = _as_word(word)
        raise ValueError(f"there is no {name} {shown(word)}: {nearest(word, by_kind)}")
    option = by_kind[word]
    known = list(fields_of(option))
    if len(args) > len(known):
        raise ValueError(f"{name} {word} takes {len(known)} values at most, got {len(args)}")
    given = dict(zip(known, args, strict=False))
    for key in given.keys() & entries.keys():
        both = f"{shown(given[key])} and {shown(entries[key])}"
        raise ValueError(f"{name} {word} has {key} twice, {both}")
    try:
        return option.from_entries(given | entries)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{name}: {error}") from None


def plain(value: Any, kind: Any) -> Any:
    """A field's value as it is written to a file."""
    if isinstance(value, Config):
        tagged = len(alternatives(kind)) > 1 or NoneType in get_args(kind)
        return {**({KIND: value.tag} if tagged else {}), **value.to_entries()}
    if hasattr(value, "to_plain"):
        return value.to_plain()
    return list(value) if isinstance(value, tuple) else value


def _spelled(config: Config) -> Spelled:
    given = {}
    for field in fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if field.default is not MISSING and value == field.default:
            continue
        if isinstance(value, Config):
            value = _spelled(value)
        elif isinstance(value, str) and _is_conversion(fields_of(type(config))[field.name]):
            value = _named(value)
        given[field.name] = value
    return Spelled(config.tag, (), given)


def _is_conversion(kind: Any) -> bool:
    """Whether a field's text is a name with arguments, such as a part's."""
    options = (kind, *get_args(kind))
    return any(isinstance(mark, Conversion) for each in options for mark in get_args(each))


def _named(text: str) -> Any:
    try:
        return parse(text)
    except ValueError:
        return text


def _needed(kind: type[Config]) -> list[str]:
    """The fields without a default."""
    return [
        field.name
        for field in fields(kind)  # type: ignore[arg-type]
        if field.default is MISSING and field.default_factory is MISSING
    ]

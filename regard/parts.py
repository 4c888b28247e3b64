"""Parts by name: `entmax(1.3)` is `Entmax(1.3)`, and vice versa.

These tables are the only ones: command line, TOML, `config.json` and Python use the same names.
Nothing here imports what a file names.
"""

import inspect
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from regard._nearest import nearest
from regard._printable import shown
from regard._spelling import Spelled, parse, whole_numbers
from regard.masks import And, Block, Causal, Prefix, SlidingWindow
from regard.normalizers import (
    Entmax,
    GumbelSoftmax,
    Hard,
    LearnedEntmax,
    Sink,
    Softmax,
    TopK,
    divide_by_count,
    hard,
    sigmoid,
    softmax,
    softmax_one,
    sparsemax,
    unnormalized,
)
from regard.score_mods import ALiBi, Chain, RelativeBias, SoftCap
from regard.scores import (
    MLP,
    Additive,
    Bilinear,
    ConcatLinear,
    ConcatReLU,
    ConcatTanhSum,
    Cosine,
    Dot,
    GATv2,
    InverseDistance,
    Location,
    LuongConcat,
    NegativeSquaredDistance,
    ScaledDot,
)

SCORES: dict[str, Any] = {
    "scaled_dot": ScaledDot,
    "dot": Dot,
    "general": Bilinear,
    "cosine": Cosine,
    "additive": Additive,
    "luong_concat": LuongConcat,
    "concat_linear": ConcatLinear,
    "concat_relu": ConcatReLU,
    "concat_tanh_sum": ConcatTanhSum,
    "gatv2": GATv2,
    "location": Location,
    "mlp": MLP,
    "squared_distance": NegativeSquaredDistance,
    "inverse_distance": InverseDistance,
}
NORMALIZERS: dict[str, Any] = {
    "softmax": softmax,
    "softmax_one": softmax_one,
    "sparsemax": sparsemax,
    "entmax": Entmax,
    "learned_entmax": LearnedEntmax,
    "sink": Sink,
    "sigmoid": sigmoid,
    "gumbel_softmax": GumbelSoftmax,
    "hard": hard,
    "top_k": TopK,
    "unnormalized": unnormalized,
    "divide_by_count": divide_by_count,
}
SCORE_MODS: dict[str, Any] = {
    "alibi": ALiBi,
    "relative_bias": RelativeBias,
    "soft_cap": SoftCap,
    "chain": Chain,
}
MASKS: dict[str, Any] = {
    "causal": Causal,
    "sliding_window": SlidingWindow,
    "block": Block,
    "prefix": Prefix,
}
MOST = 2**24
"""Upper bound of an integer in a part's name: positions, keys, widths."""
MOST_WEIGHTS = 2**28
"""Of a part, whatever its numbers are one by one."""

ROLES: dict[str, dict[str, Any]] = {
    "score": SCORES,
    "normalizer": NORMALIZERS,
    "score_mod": SCORE_MODS,
    "mask": MASKS,
}
"""Role → name → the factory of the part, or the part itself if it is a function."""

WITH_NUMBERS: dict[Any, Any] = {softmax: Softmax, hard: Hard}
"""The class that replaces a function when its name has arguments."""

SYNONYMS = {
    "bahdanau": "additive",
    "luong": "general",
    "multiplicative": "general",
    "bilinear": "general",
    "dot_product": "scaled_dot",
    "entmax15": "entmax",
    "t5": "relative_bias",
    "window": "sliding_window",
}
"""Other common names; an error message points to the right one."""


@dataclass(frozen=True)
class Dims:
    """The widths and numbers that a model gives to the parts it builds, by their names.

    Args:
        projected: the keys are already projected to `hidden_dim`, so a score whose own projection
            is optional has none.
    """

    query_dim: int
    key_dim: int
    hidden_dim: int
    num_heads: int = 1
    num_keys: int | None = None
    projected: bool = False

    def given(self, name: str, default: Any) -> Any:
        """The value for a parameter of this name, None if there is none."""
        if name == "key_dim" and self.projected and default is None:
            return None
        if name == "hidden_dims":
            return None
        return getattr(self, name, None) if name != "projected" else None


class Own(str):
    """The name of a part that is in no table; `part` is None if only its name was read.

    >>> Own("my_score", len).part is len
    True
    """

    part: Any

    def __new__(cls, name: str, part: Any = None) -> "Own":
        """Name a part, or say that one of this name is wanted."""
        made = super().__new__(cls, name)
        made.part = part
        return made

    def to_plain(self) -> dict[str, str]:
        """How a file records that a part has to be given again."""
        return {"own": str(self)}


@dataclass(frozen=True)
class PartOf:
    """The type of a `Config` field that holds a part of this role, by its name."""

    role: str

    def converted(self, name: str, value: Any) -> str:
        """The canonical name, after checking that it makes a part.

        An object is replaced by its name; one without a name is kept (`Own`).
        """
        if isinstance(value, Own):
            return value
        if isinstance(value, Mapping) and value.keys() == {"own"} and type(value["own"]) is str:
            return Own(value["own"])
        if isinstance(value, (str, Spelled)):
            return canonical(self.role, str(value))
        if not callable(value):
            raise TypeError(f"{name} must be the name of a {self.role}, got {shown(value)}")
        try:
            return spell(self.role, value)
        except ValueError:
            return Own(getattr(value, "__name__", None) or type(value).__name__, value)


ScoreName = Annotated[str, PartOf("score")]
NormalizerName = Annotated[str, PartOf("normalizer")]
ScoreModName = Annotated[str, PartOf("score_mod")]
MaskName = Annotated[str, PartOf("mask")]


def part(role: str, name: str, dims: Dims | None = None) -> Any:
    """Build the part of a name: numbers as written, widths from `dims`.

    Raises `ValueError` with the nearest names for an unknown one, and with the part's own message
    for numbers that do not fit.

    >>> part("normalizer", "entmax(1.3)")
    Entmax(alpha=1.3)
    >>> part("score", "general", Dims(query_dim=4, key_dim=6, hidden_dim=5)).weight.shape
    torch.Size([4, 6])
    """
    if isinstance(name, Own):
        if name.part is None:
            raise ValueError(f"its {role} is yours ({name}), so it has to be given again")
        return name.part
    return _made(role, parse(name), dims)


def part_at(text: str, role: str) -> Own:
    """Import and build a user-defined part, `module:name` or `module:name(1, width=2)`.

    Only for what a user types, never for the contents of a file: importing runs the module.

    Raises `ValueError` when there is no such module or name.
    """
    module, _, rest = text.partition(":")
    spelled = parse(rest)
    try:
        found = getattr(import_module(module), spelled.name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"the {role} {shown(text)} cannot be imported: {error}") from None
    made = found(*spelled.args, **spelled.kwargs) if "(" in rest or _is_maker(found) else found
    return Own(text, made)


def canonical(role: str, text: str) -> str:
    """A name as written by `spell`; raises `ValueError` unless it names a part.

    >>> canonical("normalizer", "entmax( 1.3 )")
    'entmax(1.3)'
    """
    _check(role, spelled := parse(text))
    return str(_bound(role, spelled))


def spell(role: str, part: Any, dims: Dims | None = None) -> str:
    """The name of a part, the inverse of `part`, without defaults and what `dims` gives.

    Raises `ValueError` for a part that has no name: a closure, or one that holds a tensor.

    >>> spell("normalizer", Entmax(1.3)), spell("mask", Causal() & SlidingWindow(3))
    ('entmax(1.3)', 'causal & sliding_window(3)')
    """
    return str(_spelled(role, getattr(part, "part", part), dims))


def described(role: str) -> str:
    """The names of a role, for display."""
    return ", ".join(ROLES[role])


def _is_maker(found: Any) -> bool:
    return isinstance(found, type)


def _check(role: str, spelled: Spelled) -> None:
    """Raise `ValueError` for a name that is in no table, or arguments that it does not take."""
    if spelled.name == "&" and role == "mask":
        for each in spelled.args:
            _check(role, each)
        return
    table = ROLES[role]
    if spelled.name not in table:
        hint = nearest(spelled.name, table, SYNONYMS)
        raise ValueError(f"there is no {role} {shown(spelled.name)}: {hint}")
    kind = _maker(table[spelled.name], spelled)
    if kind is None:
        return
    try:
        bound = inspect.signature(kind).bind_partial(*spelled.args, **spelled.kwargs)
    except TypeError as error:
        takes = ", ".join(inspect.signature(kind).parameters) or "nothing"
        raise ValueError(f"{role} {spelled}: {error}; it takes {takes}") from None
    _require_numbers(role, spelled, bound.arguments, Dims.__dataclass_fields__)
    _require_reasonable(role, spelled, bound.arguments)
    if kind is Chain:
        for each in map(_as_call, spelled.args):
            _check(role, each)


def _require_numbers(
    role: str, spelled: Spelled, given: Mapping[str, Any], known: Collection[str]
) -> None:
    """Raise `ValueError` for numbers that are not given and that nobody knows."""
    kind = _maker(ROLES[role][spelled.name], spelled)
    lacking = [
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is not parameter.VAR_POSITIONAL
        and name not in given
        and name not in known
    ]
    if lacking:
        example = f"{spelled.name}({', '.join(f'{name}=8' for name in lacking)})"
        raise ValueError(f"{role} {spelled.name} needs {', '.join(lacking)}: write {example}")


def _require_reasonable(role: str, spelled: Spelled, given: Mapping[str, Any]) -> None:
    """Raise `ValueError` for a whole number that could only take all memory there is."""
    for name, value in given.items():
        for number in whole_numbers(value):
            if abs(number) > MOST:
                raise ValueError(
                    f"{role} {spelled.name} has {name} {shown(number)}; at most {MOST:,} is built"
                )


def _as_call(value: Any) -> Spelled:
    """What stands within a part as a part: a bare word is a name without arguments."""
    return value if isinstance(value, Spelled) else Spelled(str(value))


def _maker(entry: Any, spelled: Spelled) -> Any:
    """The class to call, None for a function that is the part itself."""
    if isinstance(entry, type):
        return entry
    if not spelled.args and not spelled.kwargs:
        return None
    if entry not in WITH_NUMBERS:
        raise ValueError(f"{spelled.name} takes no numbers, got {spelled}")
    return WITH_NUMBERS[entry]


def _bound(role: str, spelled: Spelled) -> Spelled:
    """The same without arguments that are as usual."""
    if spelled.name == "&":
        return Spelled("&", tuple(_bound(role, each) for each in spelled.args))
    kind = _maker(ROLES[role][spelled.name], spelled)
    if kind is None:
        return spelled
    if kind is Chain:
        return Spelled(spelled.name, tuple(_bound(role, _as_call(each)) for each in spelled.args))
    parameters = inspect.signature(kind).parameters
    bound = inspect.signature(kind).bind_partial(*spelled.args, **spelled.kwargs).arguments
    given = {key: _number(value, parameters[key].default) for key, value in bound.items()}
    given = {key: value for key, value in given.items() if value != parameters[key].default}
    return _called(spelled.name, list(parameters), given)


def _called(name: str, parameters: Sequence[str], given: Mapping[str, Any]) -> Spelled:
    """A name with its arguments in their order; those from the first on need no name."""
    first = next((n for n, key in enumerate(parameters) if key not in given), len(parameters))
    rest = {key: given[key] for key in parameters[first:] if key in given}
    return Spelled(name, tuple(given[key] for key in parameters[:first]), rest)


def _number(value: Any, usual: Any) -> Any:
    """A whole number where a part has one with a point: `entmax(2)` is `entmax(2.0)`."""
    return float(value) if type(usual) is float and type(value) is int else value


def _made(role: str, spelled: Spelled, dims: Dims | None) -> Any:
    _check(role, spelled)
    if spelled.name == "&":
        one, other = (_made(role, each, dims) for each in spelled.args)
        return And(one, other)
    entry = ROLES[role][spelled.name]
    kind = _maker(entry, spelled)
    if kind is None:
        return entry
    if kind is Chain:
        return Chain(*(_made(role, _as_call(each), dims) for each in spelled.args))
    signature = inspect.signature(kind)
    given = signature.bind_partial(*spelled.args, **spelled.kwargs).arguments
    for name, parameter in signature.parameters.items():
        if dims is not None and name not in given:
            value = dims.given(name, parameter.default)
            if value is not None:
                given[name] = value
    _require_numbers(role, spelled, given, ())
    if dims is not None and given.get("num_heads") not in (None, dims.num_heads):
        heads = shown(given["num_heads"])
        raise ValueError(f"{role} {spelled} is for {heads} heads, the network has {dims.num_heads}")
    try:
        _require_room(role, spelled, kind, given)
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{role} {spelled}: {error}") from None


def _require_room(role: str, spelled: Spelled, kind: Any, given: Mapping[str, Any]) -> None:
    """Raise `ValueError` for reasonable numbers whose product is not: weights of a terabyte."""
    numbers = [number for value in given.values() for number in whole_numbers(value)]
    if math.prod(abs(number) for number in numbers if number) <= MOST_WEIGHTS:
        return
    with torch.device("meta"):
        made = kind(**given)
    weights = made.parameters() if isinstance(made, nn.Module) else ()
    if (count := sum(weight.numel() for weight in weights)) > MOST_WEIGHTS:
        raise ValueError(
            f"{role} {spelled} has {count:,} weights; at most {MOST_WEIGHTS:,} are built"
        )


def _spelled(role: str, part: Any, dims: Dims | None) -> Spelled:
    if isinstance(part, And) and role == "mask":
        return Spelled("&", (_spelled(role, part.left, dims), _spelled(role, part.right, dims)))
    for name, entry in ROLES[role].items():
        if part is entry:
            return Spelled(name)
        kind = entry if isinstance(entry, type) else WITH_NUMBERS.get(entry)
        if kind is not None and type(part) is kind:
            return _with_arguments(role, name, part, dims)
    raise ValueError(f"the {role} {part!r} has no name here")


def _with_arguments(role: str, name: str, part: Any, dims: Dims | None) -> Spelled:
    """The name with the arguments that are not as usual."""
    if isinstance(part, Chain):
        return Spelled(name, tuple(_spelled(role, mod, dims) for mod in part.mods))
    given: dict[str, Any] = {}
    parameters = inspect.signature(type(part)).parameters
    for key, parameter in parameters.items():
        if key in getattr(part, "starts_at", ()):
            continue
        value, usual = getattr(part, key), parameter.default
        if dims is not None and (filled := dims.given(key, usual)) is not None:
            usual = filled
        if isinstance(value, (Tensor, nn.Module)):
            raise ValueError(f"the {role} {name} holds a tensor in {key}, which no name says")
        if value != usual or type(value) is not type(usual):
            given[key] = value
    return _called(name, list(parameters), given)

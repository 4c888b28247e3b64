"""One spelling for what has a name and arguments: `entmax(1.3)`, `hard(estimator=gumbel)`."""

import ast
import keyword
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isinf
from typing import Any

from regard._printable import shortened, shown

LARGEST = 10**40
"""Of whole numbers."""
LONGEST = 2000
"""Characters of a text that is read as a call."""

RESERVED = "__reserved"
"""Put behind words such as `global`, which are names here and mean something in Python."""
_PYTHONS_WORDS = re.compile(rf"\b(?!True|False|None)(?:{'|'.join(keyword.kwlist)})\b")


@dataclass(frozen=True)
class Spelled:
    """A name with its arguments: numbers, words, truth values, None, tuples, or further calls.

    The name `&` joins two calls.

    >>> str(Spelled("entmax", (1.3,)))
    'entmax(1.3)'
    >>> str(Spelled("chain", (Spelled("alibi"), Spelled("soft_cap", (30.0,)))))
    'chain(alibi, soft_cap(30.0))'
    """

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.name == "&":
            return " & ".join(map(_written, self.args))
        given = [*map(_written, self.args), *(f"{k}={_written(v)}" for k, v in self.kwargs.items())]
        return f"{self.name}({', '.join(given)})" if given else self.name


def whole_numbers(value: Any) -> list[int]:
    """The whole numbers in an argument: itself, or those of a tuple.

    >>> whole_numbers((80, 4.0, 40)), whole_numbers(7), whole_numbers(True)
    ([80, 40], [7], [])
    """
    each = value if isinstance(value, (tuple, list)) else (value,)
    return [number for number in each if type(number) is int]


def parse(text: str) -> Spelled:
    """Read a name, or a name with arguments in parentheses, or two of them joined by `&`.

    Raises `ValueError` that quotes the text for anything else; nothing is ever run.

    >>> parse("hard(estimator=gumbel, temperature=0.5)")
    Spelled(name='hard', args=(), kwargs={'estimator': 'gumbel', 'temperature': 0.5})
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"it has {len(text)} characters, more than {LONGEST}")
        words = _PYTHONS_WORDS.sub(rf"\g<0>{RESERVED}", text.strip())
        with warnings.catch_warnings():
            # Python warns of what it will refuse one day, such as `1if`; it is refused here.
            warnings.simplefilter("error")
            tree = ast.parse(words, mode="eval")
        found = _value(tree.body, top=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, Warning) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        reason = shortened(reason.replace(RESERVED, "") or "it is nested too deeply", 200)
        raise ValueError(
            f"{shown(text)} is not a name with arguments, such as entmax(1.3): {reason}"
        ) from None
    return found if isinstance(found, Spelled) else Spelled(str(found))


def _value(node: ast.expr, top: bool = False) -> Any:
    """What a piece of the text stands for."""
    match node:
        case ast.Name(id="true" | "false" as word) if not top:  # As TOML and JSON write them.
            return word == "true"
        case ast.Name(id=name):
            # A bare word among arguments is a word; what may be a call in its place decides there.
            return Spelled(_plain(name)) if top else _plain(name)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if all(
            keyword.arg for keyword in keywords
        ):
            named = {_plain(str(keyword.arg)): _value(keyword.value) for keyword in keywords}
            return Spelled(_plain(name), tuple(_value(each) for each in args), named)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) if not top:
            return tuple(_value(part) for part in parts)
        case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
            return Spelled("&", (_called(left), _called(right)))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -_held(number)
        case ast.Constant(value=str() as text) if not top:
            return _plain(text)
        case ast.Constant(value=bool() | int() | float() | None as value) if not top:
            return value if value is None else _held(value)
    raise ValueError(f"{shown(ast.unparse(node))} is none of number, word, tuple and name(...)")


def _held(number: int | float) -> int | float:
    """A number of a reasonable size; raises `ValueError` for one that is larger than any."""
    too_large = isinf(number) if isinstance(number, float) else abs(number) > LARGEST
    if too_large:
        raise ValueError(f"{shown(number)} is larger than any number here")
    return number


def _plain(name: str) -> str:
    return name.replace(RESERVED, "")


def _called(node: ast.expr) -> Any:
    """One side of `&`, where a bare word is a name without arguments."""
    return _value(node, top=isinstance(node, ast.Name))


def _written(value: Any) -> str:
    if isinstance(value, Spelled):
        return str(value)
    if isinstance(value, tuple):
        inner = ", ".join(map(_written, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, str) and value.isidentifier() and value not in ("True", "False", "None"):
        return value
    return repr(value)

"""Which attentions are kept: by their index in call order, or by name."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from torch import nn

from regard._nearest import nearest
from regard._printable import shown
from regard.capturing.modules import ancestors
from regard.errors import UsageError

Layers = int | str | Iterable[int | str] | None


class Wanted:
    """What `layers=` selects.

    Numbers index the attentions in the order in which each is first called; negative ones count
    from the last. A name is a module's, or an enclosing one's; `*` and `?` are wildcards.
    """

    def __init__(self, layers: Layers, model: nn.Module | None) -> None:
        given = [layers] if isinstance(layers, (int, str)) else layers
        self.given = None if given is None else list(given)
        for one in self.given or ():
            if isinstance(one, bool) or not isinstance(one, (int, str)):
                raise TypeError(
                    f"layers must be numbers and names, not {type(one).__name__}: give "
                    "layers=[0, -1] or layers='encoder.*'."
                )
        self.numbers = {one for one in self.given or () if isinstance(one, int)}
        self.names = [one for one in self.given or () if isinstance(one, str)]
        if model is not None:
            known = [name for name, _ in model.named_modules() if name]
            for name in self.names:
                if not any(_matches(name, each) for each in known):
                    raise _unknown(name, known)

    @property
    def from_the_end(self) -> int:
        """How many of the last ones may be meant."""
        return -min([0, *self.numbers])

    def stays(self, number: int, name: str, total: int) -> bool:
        """Whether an attention may be one of those asked for, when so many were seen so far."""
        if self.given is None or number in self.numbers or number - total in self.numbers:
            return True
        return number >= total - self.from_the_end or self._names_it(name)

    def asked(self, number: int, name: str, total: int) -> bool:
        """Whether it is one of those asked for, when no more will come."""
        if self.given is None or number in self.numbers or number - total in self.numbers:
            return True
        return self._names_it(name)

    def _names_it(self, name: str) -> bool:
        return any(_matches(pattern, each) for pattern in self.names for each in ancestors(name))

    def require_found(self, names: list[str]) -> None:
        """Raise `UsageError` where something asked for is none of the attentions seen."""
        for number in sorted(self.numbers):
            if not -len(names) <= number < len(names):
                raise UsageError(
                    f"layers asks for {number}, but {len(names)} attentions were seen: count from "
                    f"0 to {len(names) - 1}."
                )
        for pattern in self.names:
            if not any(_matches(pattern, each) for name in names for each in ancestors(name)):
                raise _unknown(pattern, names)


def _matches(pattern: str, name: str) -> bool:
    return pattern == name or fnmatchcase(name, pattern)


def _unknown(name: str, known: list[str]) -> UsageError:
    return UsageError(f"there is no layer {shown(name)}: {shown_nearest(name, known)}.")


def shown_nearest(name: str, known: list[str]) -> str:
    """The names that may have been meant, or the first of all."""
    text = nearest(name, known)
    return (
        text.rstrip("?") + "?" if text.startswith("did you mean") else f"there are {_some(known)}"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")

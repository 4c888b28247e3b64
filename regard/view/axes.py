"""Which tokens stand along the rows and columns of each captured map."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from regard.explain.token_marks import words_of_tokens
from regard.view.captured import CapturedMap

_GATED = {"channel": "channel", "rows": "row", "columns": "column"}
"""What a gate is of, by the end of its name."""


@dataclass(frozen=True)
class Axes:
    """The lists of tokens of a document by name, and the names of rows and columns of each map."""

    lists: dict[str, tuple[str, ...]]
    of_map: tuple[tuple[str, str], ...]

    def data(self) -> dict[str, Any]:
        """As a page reads it: tokens and, where they bear marks of words, the word of each."""
        found = {}
        for name, tokens in self.lists.items():
            words = words_of_tokens(tokens)
            numbers = None if words is None else words.of_each
            found[name] = {"tokens": list(tokens), "words": numbers}
        return found


def axes_of(
    maps: Sequence[CapturedMap], tokens: Sequence[str], queries: Sequence[str] | None
) -> Axes:
    """Rows and columns of every map by what it is and how long it is.

    Self-attention has the same tokens on both; cross-attention looks from `queries` at `tokens`;
    a generated text, stitched together, looks at `tokens` and then at itself; a pool has one row;
    of a gate neither has, but where it is of as many places as there are tokens.

    Raises `ValueError` for lengths that are those of no tokens.
    """
    found = _Found(tuple(map(str, tokens)), None if queries is None else tuple(map(str, queries)))
    of_map = tuple((found.rows(each), found.columns(each)) for each in maps)
    used = {name for pair in of_map for name in pair}
    return Axes({name: found.lists[name] for name in found.lists if name in used}, of_map)


@dataclass
class _Found:
    tokens: tuple[str, ...]
    queries: tuple[str, ...] | None
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lists["tokens"] = self.tokens
        if self.queries is not None:
            self.lists["queries"] = self.queries
            self.lists["all"] = self.tokens + self.queries

    def rows(self, each: CapturedMap) -> str:
        length = each.shape[2]
        if each.kind == "gate":
            return self._numbered(length, "gate")
        if each.kind == "pool":
            return self._numbered(length, "query")
        if each.kind == "cross":
            return self._named(each, length, "queries", ("queries", "tokens", "all"))
        return self._named(each, length, "queries", self._of_self(each))

    def columns(self, each: CapturedMap) -> str:
        length = each.shape[3]
        if each.kind == "gate":
            ending = each.name.rpartition(".")[2]
            if ending in _GATED:
                return self._numbered(length, _GATED[ending])
            # As many places as there are tokens are these, of which the names are known.
            return "tokens" if length == len(self.tokens) else self._numbered(length, "channel")
        if each.kind == "self":
            return self._named(each, length, "keys", self._of_self(each))
        return self._named(each, length, "keys", ("tokens", "all", "queries"))

    def _of_self(self, each: CapturedMap) -> tuple[str, ...]:
        """The lists to try, the likeliest first, where two are of one length."""
        if "decoder" in each.name or each.shape[2] != each.shape[3]:
            return ("queries", "all", "tokens")
        return ("tokens", "queries", "all")

    def _named(self, each: CapturedMap, length: int, what: str, names: tuple[str, ...]) -> str:
        known = [name for name in names if name in self.lists]
        for name in known:
            if len(self.lists[name]) == length:
                return name
        if each.kind != "self" and what == "queries" and self.queries is None:
            return self._numbered(length, "step")
        counts = " and ".join(f"{len(self.lists[name]):,} {name}" for name in known)
        more = "" if self.queries is not None else "; give what it looks from as queries="
        raise ValueError(
            f"{each.name} has {length:,} {what}, but there are {counts}: pass one token for each "
            f"position, special tokens such as [CLS] and padding included"
            f"{more if each.shape[2] != each.shape[3] else ''}."
        )

    def _numbered(self, length: int, word: str) -> str:
        name = f"{word} {length}"
        self.lists[name] = tuple(f"{word} {number}" for number in range(length))
        return name

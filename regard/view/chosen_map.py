"""One matrix of what was captured, for a terminal, a figure and whoever shows a single picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from regard.view.axes import axes_of
from regard.view.captured import CapturedMap


@dataclass(frozen=True, eq=False)
class ChosenMap:
    """The weights of one head or the mean of all, with the tokens of both sides.

    Args:
        said: which they are and where they come from, in one line.
    """

    weights: Float[Tensor, "q_len k_len"]
    queries: tuple[str, ...]
    keys: tuple[str, ...]
    said: str


def chosen_map(
    maps: Sequence[CapturedMap],
    tokens: Sequence[str],
    queries: Sequence[str] | None,
    *,
    item: int,
    layer: int,
    head: int | None,
    query: int | None = None,
) -> ChosenMap:
    """The matrix of a layer and a head; None is the mean of its heads.

    Args:
        query: one row alone.

    Raises `ValueError` for a layer, head or query that is not there.
    """
    layer = _place("layer", layer, len(maps))
    each = maps[layer]
    _, heads, rows, _ = each.shape
    axes = axes_of(maps, tokens, queries)
    names = [axes.lists[name] for name in axes.of_map[layer]]
    wanted = None if query is None else [_place("query", query, rows)]
    one = None if head is None else [_place("head", head, heads)]
    weights = each.weights(heads=one, rows=wanted, item=item)[0].detach().float().cpu().mean(0)
    whose = f"mean of {heads} heads" if one is None else f"head {one[0]}"
    parts = [part for role, part in each.mechanism.items() if part and role != "dtype"]
    said = f"layer {layer} ({each.name}), {whose}; {', '.join(parts)}; {each.provenance}"
    rows_shown = names[0] if wanted is None else (names[0][wanted[0]],)
    return ChosenMap(weights, tuple(rows_shown), tuple(names[1]), said)


def _place(what: str, number: int, count: int) -> int:
    if not -count <= number < count:
        raise ValueError(f"there is no {what} {number}: there are {count}, numbered from 0")
    return number % count

"""What hand-written weights were computed from, as far as it could be traced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from regard.capturing.computed_from import WrittenOut, read_normalizer
from regard.capturing.einsums import Product
from regard.capturing.factors import version_of
from regard.capturing.folded_heads import in_four_axes
from regard.capturing.normalized import MOST_BYTES
from regard.capturing.provenance import Scores, Weights
from regard.capturing.source import tensors_in
from regard.capturing.whole import Whole

KNOWN = frozenset(("softmax", "sigmoid", "sparsemax", "entmax"))
"""Normalizers fully determined by a row of scores and their parameters."""


@dataclass(frozen=True)
class Place:
    """Which axes of weights are leading, which are queries, and which are keys."""

    lead: Sequence[int]
    queries: Sequence[int]
    key: int


def with_arithmetic(
    four: Tensor, node: Weights, weights: Tensor, place: Place, met: Product | None, unknown: str
) -> tuple[WrittenOut | Whole, str]:
    """Weights `[B, H, Q, K]` with what they were computed from, or without it and why."""
    scores = node.scores
    unknown = unknown or node.unknown or ("score" if scores is None else "")
    if unknown or scores is None or scores.factors is None:
        return Whole(four), unknown or (scores.unknown if scores else "") or "score"
    name, _ = read_normalizer(node.normalizer)
    if name not in KNOWN:
        return Whole(four), "normalizer"
    factors = scores.factors
    sides = _query_and_key(factors.product, weights.ndim, place, scores)
    if sides is None or not all(map(_fits, sides, (four, four), (2, 3))):
        return Whole(four), "layout"
    if factors.versions != tuple(map(version_of, (factors.product.one, factors.product.other))):
        return Whole(four), "layout"
    given = None
    if not factors.is_all:
        if node.given is None:
            return Whole(four), "size"
        given = _given(node.given, weights, four, place, scores)
        if given is None:
            return Whole(four), "layout"
    values = None if met is None else _values(met, place, scores)
    if values is not None and not _fits(values, four, 3):
        values = None
    query, key = sides
    found = WrittenOut(four, query, key, values, given, factors.scale, node.normalizer)
    if sum(each.nbytes for each in tensors_in(found)) > MOST_BYTES:
        return Whole(four), "size"
    return found, ""


def _query_and_key(
    product: Product, ndim: int, place: Place, scores: Scores
) -> tuple[Tensor, Tensor] | None:
    """Both factors with four axes, batch and heads in front."""
    of_result = product.of_result
    if ndim == len(of_result) and len(place.queries) == 1:
        lead = [of_result[n] for n in place.lead]
        query, key = of_result[place.queries[0]], of_result[place.key]
    elif len(of_result) >= 2 and place.key == ndim - 1:
        # Batch and heads became one axis since, or two; what pairs are of stayed the last two.
        lead, query, key = list(of_result[:-2]), of_result[-2], of_result[-1]
    else:
        return None
    if key not in product.of_other:
        product = product.turned()
    if key in product.of_one or query in product.of_other:
        return None
    width = product.contracted[0]
    sizes = _sizes(product)
    sides = (
        _in_four(product.one, product.of_one, (lead, query, width), sizes, scores),
        _in_four(product.other, product.of_other, (lead, key, width), sizes, scores),
    )
    return None if sides[0] is None or sides[1] is None else (sides[0], sides[1])


def _values(met: Product, place: Place, scores: Scores) -> Tensor | None:
    """The values that the weights met, with four axes."""
    lead = [met.of_one[n] for n in place.lead]
    key = met.of_one[place.key]
    widths = [letter for letter in met.of_other if letter not in met.of_one]
    if len(widths) != 1:
        return None
    return _in_four(met.other, met.of_other, (lead, key, widths[0]), _sizes(met), scores)


def _in_four(
    tensor: Tensor,
    letters: str,
    order: tuple[Sequence[str], str, str],
    sizes: Mapping[str, int],
    scores: Scores,
) -> Tensor | None:
    lead, rows, width = order
    wanted = [letter for letter in lead if letter in letters] + [rows, width]
    if sorted(wanted) != sorted(letters):
        return None
    turned = tensor.detach().permute(*(letters.index(letter) for letter in wanted))
    for place, letter in enumerate(lead):
        if letter not in letters:
            turned = turned.unsqueeze(place)
    if len(lead) != 2:
        turned = turned.expand(*(sizes[letter] for letter in lead), -1, -1)
    return in_four_axes(turned, len(lead), 1, scores)


def _sizes(product: Product) -> dict[str, int]:
    """How long each axis is, where one operand has one for all that of the other."""
    found: dict[str, int] = {}
    for letters, tensor in ((product.of_one, product.one), (product.of_other, product.other)):
        for letter, size in zip(letters, tensor.shape, strict=True):
            found[letter] = max(size, found.get(letter, 1))
    return found


def _given(
    kept: tuple[Tensor, int], weights: Tensor, four: Tensor, place: Place, scores: Scores
) -> Tensor | None:
    given, version = kept
    if version != version_of(given):
        return None
    if given.shape == weights.shape:
        turned = given.permute(*place.lead, *place.queries, place.key)
        found = in_four_axes(turned, len(place.lead), len(place.queries), scores)
    else:
        found = in_four_axes(given, given.ndim - 2, 1, scores)
    return found if found.shape == four.shape else None


def _fits(tensor: Tensor, four: Tensor, axis: int) -> bool:
    """Whether rows are as many as this axis of the weights, and batch and heads too, or one."""
    pairs = zip(tensor.shape[:2], four.shape[:2], strict=True)
    return tensor.shape[2] == four.shape[axis] and all(n in (1, all_) for n, all_ in pairs)

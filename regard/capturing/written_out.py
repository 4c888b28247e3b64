"""Weights that a module computed itself, told when they meet the values."""

from collections.abc import Sequence

from torch import Tensor

from regard.capturing.arithmetic import Place, with_arithmetic
from regard.capturing.einsums import Product
from regard.capturing.folded_heads import in_four_axes
from regard.capturing.provenance import Scores, Weights
from regard.capturing.source import Seen
from regard.capturing.trail import Trail


def told(
    trail: Trail,
    node: Weights,
    weights: Tensor,
    key: int,
    is_query: Sequence[bool],
    over_queries: bool = False,
    met: Product | None = None,
) -> None:
    """Tell of weights, once.

    Args:
        key: the axis that is summed.
        is_query: of each axis, whether it is one of queries.
        met: the product in which they met the values, the weights in front.
    """
    if node.told.yet or weights.numel() == 0:
        return
    node.told.yet = True
    queries = [place for place, one in enumerate(is_query) if one and place != key]
    lead = [place for place in range(weights.ndim) if place not in queries and place != key]
    scores = node.scores or Scores(False)

    def arranged(of_weights: Tensor) -> Tensor:
        turned = of_weights.permute(*lead, *queries, key)
        return in_four_axes(turned, len(lead), len(queries), scores)

    four = arranged(weights.detach())
    kind = "pool" if not queries or (four.shape[2] == 1 and not scores.of_two) else ""
    place = Place(lead, queries, key)
    unknown = "normalizer" if over_queries else ""
    source, unknown = with_arithmetic(four, node, weights, place, met, unknown)
    trail.tell(
        Seen(
            source,
            _mechanism(scores, node.normalizer, over_queries),
            "as the module computed them",
            kind,
            output=weights,
            of_output=arranged,
            extra={"unknown": unknown} if unknown else {},
        )
    )


def _mechanism(scores: Scores, normalizer: str, over_queries: bool) -> dict[str, str]:
    mechanism = {
        "score": "dot" if scores.of_two else "additive",
        "normalizer": f"{normalizer} over queries" if over_queries else normalizer,
    }
    if "mask" in scores.said:
        mechanism["mask"] = "dense"
    mods = [word for word in ("bias", "soft_cap") if word in scores.said]
    if mods:
        mechanism["score_mod"] = ", ".join(mods)
    return mechanism

"""Weights that a module computed itself, told when they meet the values."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from regard.capturing.folded_heads import in_four_axes
from regard.capturing.parts import Parts
from regard.capturing.provenance import Scores, Weights
from regard.capturing.source import Index, Seen, Shape
from regard.capturing.trail import Trail


@dataclass(frozen=True, eq=False)
class Whole:
    """Weights that the module computed itself, `[B, H, Q, K]`."""

    computed: Tensor

    is_cheap = True

    @property
    def shape(self) -> Shape:
        batch, heads, q_len, k_len = self.computed.shape
        return batch, heads, q_len, k_len

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        found = self.computed if item is None else self.computed[item : item + 1]
        if heads is not None:
            found = found.index_select(1, heads.to(found.device))
        return found if rows is None else found.index_select(2, rows.to(found.device))

    def parts(self, item: int) -> Parts | None:
        return None


def told(
    trail: Trail,
    node: Weights,
    weights: Tensor,
    key: int,
    is_query: Sequence[bool],
    over_queries: bool = False,
) -> None:
    """Tell of weights, once."""
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
    trail.tell(
        Seen(
            Whole(four),
            _mechanism(scores, node.normalizer, over_queries),
            "as the module computed them",
            kind,
            output=weights,
            of_output=arranged,
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

"""`flex_attention`: its functions of one pair are asked for the rows that are read."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from regard.capturing.dot import Dot
from regard.capturing.source import Seen

NAMES = ("query", "key", "value", "score_mod", "block_mask", "scale")
NOTHING = ("_identity", "noop_mask", "_vmap_for_bhqkv")


def seen(args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> Seen:
    """The call of the higher-order operator, whose block mask ends with its function."""
    given = {**dict(zip(NAMES, args, strict=False)), **kwargs}
    score_mod, mask_mod = given["score_mod"], given["block_mask"][-1]
    names = [getattr(each, "__name__", type(each).__name__) for each in (score_mod, mask_mod)]
    source = Dot(
        given["query"],
        given["key"],
        given["value"],
        scale=float(given["scale"]),
        score_mod=None if names[0] in NOTHING else score_mod,
        mask_mod=None if names[1] in NOTHING else mask_mod,
    )
    mechanism = {"score": "scaled_dot", "normalizer": "softmax"}
    if source.mask_mod is not None:
        mechanism["mask"] = names[1]
    if source.score_mod is not None:
        mechanism["score_mod"] = names[0]
    out: Tensor = output[0]
    return Seen(
        source, mechanism, "recomputed from query and key", output=out, of_output=lambda grad: grad
    )

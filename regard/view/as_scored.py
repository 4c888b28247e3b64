"""Query and key as a score compares them, after the layer that some scores have of their own.

    additive           W q, U k           v^T tanh(W q + U k)
    luong_concat       W_q q, W_k k       v^T tanh(W [q; k])
    gatv2              W_q q, W_k k       v^T LeakyReLU(W_q q + W_k k)
    concat_tanh_sum    W_q q + b, W_k k   sum tanh(W [q; k] + b)

What is compared is carried, so that a page needs no layer and shows what meets.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from regard.view.captured import Parts


@dataclass(frozen=True, eq=False)
class AsScored:
    """What meets in a score, and which tensors and numbers it has beside."""

    query: Tensor
    key: Tensor
    parameters: Mapping[str, Tensor]
    numbers: Mapping[str, float]


def as_scored(parts: Parts) -> AsScored:
    """Queries and keys behind the score's own layer, heads' sinks and alphas as numbers."""
    query, key = parts.query.detach().float(), parts.key.detach().float()
    tensors = {name: tensor.detach().float() for name, tensor in parts.parameters.items()}
    numbers = {name: float(number) for name, number in parts.numbers.items()}
    if parts.score in ("additive", "gatv2"):
        query, key = _through(query, tensors, "query_weight"), _through(key, tensors, "key_weight")
    elif parts.score in ("luong_concat", "concat_tanh_sum") and "weight" in tensors:
        weight = tensors.pop("weight")
        width = query.shape[-1]
        bias = tensors.pop("bias", None)
        query = query @ weight[:, :width].mT + (0.0 if bias is None else bias)
        # The authors' code of luong_concat leaves the key as it is.
        key = key @ weight[:, width:].mT if weight.shape[1] > width else key
    for name, number in (("sink", "sink"), ("a", "alpha")):
        values = tensors.pop(name, None)
        if values is not None:
            known = values if name == "sink" else 1 + values.sigmoid()
            each = known.reshape(-1).expand(query.shape[0]) if known.numel() == 1 else known
            numbers |= {f"{number}_{head}": value for head, value in enumerate(each.tolist())}
    return AsScored(query, key, tensors, numbers)


def _through(vectors: Tensor, tensors: dict[str, Tensor], name: str) -> Tensor:
    weight = tensors.pop(name, None)
    return vectors if weight is None else vectors @ weight.mT

"""Attention sinks: weight that goes to a key whatever the query, and the weights without it."""

from collections.abc import Iterable

from regard.explain._layers import HEADS, Layers, positions_in, read_layers
from regard.explain.explanation import ByLayer
from regard.explain.normalized import rows_of_one


def sink_mass(weights: Layers, keys: Iterable[int] = (0,)) -> ByLayer:
    """How much of each query's weight some keys get: `Σ_{k in keys} w_qk`.

    By default, that of the first key. Softmax has to put its weight somewhere; a head with nothing
    to contribute puts it on a token that every query sees and whose value is small.

    Args:
        keys: indices; negative ones count from the end.

    Returns:
        `[batch, head, query]` of each layer.

    Raises:
        ValueError, TypeError, IndexError: not weights, no key, or one that there is not.

    Example:
        >>> import torch
        >>> sink_mass(torch.tensor([[[[[1.0, 0.0], [0.8, 0.2]]]]]))[0].values
        tensor([[[1.0000, 0.8000]]])

    References:
        Xiao, Tian, Chen, Han & Lewis. Efficient Streaming Language Models with Attention Sinks.
        2023. https://arxiv.org/abs/2309.17453
    """
    chosen = list(keys)
    layers = read_layers("sink_mass", weights)
    return ByLayer(
        tuple(
            layer[..., sorted(set(positions_in("sink_mass", "keys", chosen, layer.shape[-1])))].sum(
                -1
            )
            for layer in layers
        ),
        HEADS[:3],
    )


def without_sink(weights: Layers, keys: Iterable[int] = (0,)) -> ByLayer:
    """The weights as if some keys did not exist: theirs are zero, each row sums to one again.

    For a softmax these are exactly the weights with these keys masked. A query that saw nothing
    else then has a row of zeros.

    Args:
        keys: indices, by default the first; negative ones count from the end.

    Returns:
        `[batch, head, query, key]` of each layer; `rollout` and all others accept it
        as weights.

    Raises:
        ValueError, TypeError, IndexError: not weights, no key, or one that there is not.

    Example:
        >>> import torch
        >>> without_sink(torch.tensor([[[[[1.0, 0.0, 0.0], [0.8, 0.1, 0.1]]]]]))[0].values[0, 0]
        tensor([[0.0000, 0.0000, 0.0000],
                [0.0000, 0.5000, 0.5000]])
    """
    chosen, found = list(keys), []
    for layer in read_layers("without_sink", weights):
        kept = layer.new_ones(layer.shape[-1])
        kept[positions_in("without_sink", "keys", chosen, layer.shape[-1])] = 0.0
        found.append(rows_of_one(layer * kept))
    return ByLayer(tuple(found), HEADS)

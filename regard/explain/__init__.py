"""Analysis of attention weights: pure functions from weights to numbers with named axes.

They take the weights of all layers, `[layers, batch, heads, q_len, k_len]`, or a sequence with
`[batch, heads, q_len, k_len]` for each: tensors, the maps of `regard.capture`, or one another's
results. Nothing is plotted. Those that need the network (`head_effects`, `value_zeroing`) take it
and a function that calls it, whatever network it is.

Example:
    >>> import torch
    >>> weights = torch.softmax(torch.randn(4, 1, 8, 6, 6), -1)
    >>> rollout(weights)
    Explanation(batch=1, query=6, key=6)
    >>> entropy(weights).mean("query").stacked()
    Explanation(layer=4, batch=1, head=8)
"""

from regard.explain.ablation import Ablation, ablated
from regard.explain.attention_gradient import attention_times_gradient
from regard.explain.bimodal import Bimodal
from regard.explain.cross_relevance import CrossRelevance, cross_relevance
from regard.explain.cross_rollout import CrossRollout, cross_rollout
from regard.explain.difference import difference, total_variation
from regard.explain.distance import mean_distance
from regard.explain.entropy import entropy
from regard.explain.explanation import ByLayer, Explanation
from regard.explain.flow import flow
from regard.explain.head_effects import HeadEffect, head_effects
from regard.explain.normalized import normalized
from regard.explain.patches import PatchGrid, grid_size, patch_grid, to_pixels
from regard.explain.relevance import relevance
from regard.explain.rollout import rollout, rollout_over_uniform
from regard.explain.search import FoundHead, heads_where
from regard.explain.sink import sink_mass, without_sink
from regard.explain.tags import THRESHOLDS, HeadTags, TaggedHead, head_tags
from regard.explain.timestamps import TokenTimes, token_times
from regard.explain.token_marks import words_of_tokens
from regard.explain.value_norm import value_norm, value_norm_of_heads
from regard.explain.value_zeroing import value_zeroing
from regard.explain.windows import window_map
from regard.explain.words import Words, merge_words, words_of_ids, words_of_offsets

__all__ = [
    "Ablation",
    "Bimodal",
    "ByLayer",
    "CrossRelevance",
    "CrossRollout",
    "Explanation",
    "FoundHead",
    "HeadEffect",
    "HeadTags",
    "PatchGrid",
    "THRESHOLDS",
    "TaggedHead",
    "TokenTimes",
    "Words",
    "ablated",
    "attention_times_gradient",
    "cross_relevance",
    "cross_rollout",
    "difference",
    "entropy",
    "flow",
    "grid_size",
    "head_effects",
    "head_tags",
    "heads_where",
    "mean_distance",
    "merge_words",
    "normalized",
    "patch_grid",
    "relevance",
    "rollout",
    "rollout_over_uniform",
    "sink_mass",
    "to_pixels",
    "token_times",
    "total_variation",
    "value_norm",
    "value_norm_of_heads",
    "value_zeroing",
    "window_map",
    "without_sink",
    "words_of_ids",
    "words_of_offsets",
    "words_of_tokens",
]

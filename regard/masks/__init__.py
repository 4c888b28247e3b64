"""Masks: may this query attend to this key? Join them with `& | ~`."""

from regard.masks._mask import And, Mask, Not, Or
from regard.masks.block import Block
from regard.masks.causal import Causal
from regard.masks.dense import Dense
from regard.masks.document import Document
from regard.masks.key_counts import KeyCounts
from regard.masks.padding import Padding
from regard.masks.prefix import Prefix
from regard.masks.sliding_window import SlidingWindow

__all__ = [
    "And",
    "Block",
    "Causal",
    "Dense",
    "Document",
    "KeyCounts",
    "Mask",
    "Not",
    "Or",
    "Padding",
    "Prefix",
    "SlidingWindow",
]

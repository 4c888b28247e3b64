"""Writing with any model that answers a token with logits: decoding, filters, beam search."""

from regard.generation.beam import beam_search
from regard.generation.decode import NextTokens, decode, greedy, sample
from regard.generation.decoder import Decoder
from regard.generation.filters import (
    KeepMinP,
    KeepTopK,
    KeepTopP,
    RepetitionPenalty,
    Temperature,
)
from regard.generation.hypothesis import Hypothesis
from regard.generation.state import along, take
from regard.layers.cache import BY_SOURCE

__all__ = [
    "BY_SOURCE",
    "Decoder",
    "Hypothesis",
    "KeepMinP",
    "KeepTopK",
    "KeepTopP",
    "NextTokens",
    "RepetitionPenalty",
    "Temperature",
    "along",
    "beam_search",
    "decode",
    "greedy",
    "sample",
    "take",
]

"""Decoding with any model that maps a token to logits: sampling, filters, beam search."""

from regard.generation.beam import NextBeams, beam_search
from regard.generation.decode import NextTokens, decode, greedy, most_probable, sample
from regard.generation.decoder import Decoder
from regard.generation.filters import (
    ForceFirst,
    KeepMinP,
    KeepTopK,
    KeepTopP,
    RepetitionPenalty,
    Temperature,
)
from regard.generation.hypothesis import Hypothesis
from regard.generation.row_seeds import RowSeeds
from regard.generation.state import along, take
from regard.generation.text_pieces import TextPieces
from regard.generation.write import Beams, Greedy, Sample, stream, write
from regard.layers.cache import BY_SOURCE

__all__ = [
    "BY_SOURCE",
    "Beams",
    "Decoder",
    "ForceFirst",
    "Greedy",
    "Hypothesis",
    "KeepMinP",
    "KeepTopK",
    "KeepTopP",
    "NextBeams",
    "NextTokens",
    "RepetitionPenalty",
    "RowSeeds",
    "Sample",
    "Temperature",
    "TextPieces",
    "along",
    "beam_search",
    "decode",
    "greedy",
    "most_probable",
    "sample",
    "stream",
    "take",
    "write",
]

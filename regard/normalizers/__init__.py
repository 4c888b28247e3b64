"""Normalizers: from scores to weights."""

from regard.normalizers.divide_by_count import divide_by_count
from regard.normalizers.divide_by_sum import divide_by_sum
from regard.normalizers.entmax import Entmax
from regard.normalizers.gumbel_softmax import GumbelSoftmax
from regard.normalizers.hard import Hard, hard
from regard.normalizers.learned_entmax import LearnedEntmax
from regard.normalizers.local_gaussian import LocalGaussian
from regard.normalizers.sample import Sample
from regard.normalizers.sigmoid import sigmoid
from regard.normalizers.sink import Sink
from regard.normalizers.softmax import Softmax, softmax
from regard.normalizers.softmax_one import softmax_one
from regard.normalizers.sparsemax import sparsemax
from regard.normalizers.top_k import TopK
from regard.normalizers.unnormalized import unnormalized

__all__ = [
    "Entmax",
    "GumbelSoftmax",
    "Hard",
    "LearnedEntmax",
    "LocalGaussian",
    "Sample",
    "Sink",
    "Softmax",
    "TopK",
    "divide_by_count",
    "divide_by_sum",
    "hard",
    "sigmoid",
    "softmax",
    "softmax_one",
    "sparsemax",
    "unnormalized",
]

"""How similar are query and key? Each part is called as `score(query, key)`."""

from regard.scores.additive import Additive
from regard.scores.bilinear import Bilinear
from regard.scores.concat_linear import ConcatLinear
from regard.scores.concat_relu import ConcatReLU
from regard.scores.concat_tanh_sum import ConcatTanhSum
from regard.scores.cosine import Cosine
from regard.scores.distance import InverseDistance, NegativeSquaredDistance
from regard.scores.dot import Dot, ScaledDot
from regard.scores.feature_map_dot import FeatureMapDot, elu_plus_one
from regard.scores.gatv2 import GATv2
from regard.scores.location import Location
from regard.scores.luong_concat import LuongConcat
from regard.scores.mlp import MLP

__all__ = [
    "Additive",
    "Bilinear",
    "ConcatLinear",
    "ConcatReLU",
    "ConcatTanhSum",
    "Cosine",
    "Dot",
    "FeatureMapDot",
    "GATv2",
    "InverseDistance",
    "Location",
    "LuongConcat",
    "MLP",
    "NegativeSquaredDistance",
    "ScaledDot",
    "elu_plus_one",
]

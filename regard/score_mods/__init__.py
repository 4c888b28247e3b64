"""Score modifications: change a score, knowing where it stands."""

from regard.score_mods.alibi import ALiBi
from regard.score_mods.bias import Bias
from regard.score_mods.chain import Chain
from regard.score_mods.relative_bias import RelativeBias
from regard.score_mods.relative_dot import RelativeDot
from regard.score_mods.soft_cap import SoftCap

__all__ = ["ALiBi", "Bias", "Chain", "RelativeBias", "RelativeDot", "SoftCap"]
